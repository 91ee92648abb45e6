"""One process of the soak: votes as a browser without JavaScript does, and writes down what was acknowledged.

Run as `python -m tests.soak.writer PORT VOTES SEED FILE`. Each line of the file is a JSON object: an acknowledged vote,
an acknowledged undo, or the figures at the end. An answer that does not come is asked for again until it does.
"""

import contextlib
import http.client
import json
import random
import re
import sys
import time
import urllib.parse
from typing import Any, TextIO

HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"')
VOTES_OF_A_VOTER = 100
UNDO_EVERY, REVEAL_EVERY, REPEAT_EVERY, TYPE_EVERY = 10, 5, 7, 20
PATIENCE_SECONDS = 120


class Browser:
    """Cookies, and a request repeated until it is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.retries = 0

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, str]:
        """Status and text; a lost connection and a 5xx are tried again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, text = self.once(method, path, fields)
                if status < 500:
                    return status, text
            self.retries += 1
            time.sleep(0.05)
        raise TimeoutError(f"{method} {path} was not answered within {PATIENCE_SECONDS} s")

    def once(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        with contextlib.closing(connection):
            connection.request(method, path, urllib.parse.urlencode(fields), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";", 1)[0].split("=", 1)
            self.cookies[name] = value
        return answer.status, text


class Writer:
    """Casts votes, takes some back, reveals some, repeats some, and types a prompt now and then."""

    def __init__(self, port: int, rng: random.Random, out: TextIO) -> None:
        self.browser = Browser(port)
        self.rng, self.out = rng, out
        self.seconds: list[float] = []

    def write(self, **line: Any) -> None:
        self.out.write(json.dumps(line) + "\n")
        self.out.flush()

    def run(self, votes: int) -> None:
        for number in range(1, votes + 1):
            if number % VOTES_OF_A_VOTER == 0:
                self.browser.cookies = {}
            token, fields = self.vote(number)
            if number % REPEAT_EVERY == 0:
                self.repeat(token, fields)
            if number % UNDO_EVERY == 0:
                self.post(f"/votes/{token}/undo", fields, undone=token)
            elif number % REVEAL_EVERY == 0:
                self.post(f"/votes/{token}/reveal", fields, revealed=token)
            if number % TYPE_EVERY == 0:
                self.type_prompt(fields)
        self.write(retries=self.browser.retries, seconds=self.seconds)

    def vote(self, number: int) -> tuple[str, dict[str, str]]:
        """One round trip: the ticket answered, and the form's hidden fields."""
        start = time.monotonic()
        status, page = self.browser.ask("GET", "/polls/duel/")
        fields = dict(HIDDEN.findall(page))
        assert status == 200, page
        assert "ticket" in fields, page
        outcome = self.rng.choices(["1", "2", "skip"], [5, 4, 1])[0]
        reply = self.post("/polls/duel/vote", fields | {"outcome": outcome})
        self.seconds.append(time.monotonic() - start)
        self.write(ticket=fields["ticket"], **{name: reply[name] for name in ("vote", "outcome")})
        return fields["ticket"], fields | {"outcome": outcome}

    def type_prompt(self, fields: dict[str, str]) -> None:
        """Asked once: while the worker is dead, the arena says so at once."""
        typed = {"csrfmiddlewaretoken": fields["csrfmiddlewaretoken"], "prompt": f"1girl, smile, {self.rng.random()}"}
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.browser.once("POST", "/polls/duel/prompt", typed)

    def repeat(self, token: str, fields: dict[str, str]) -> None:
        """The same answer again, and another one: both say what the first said."""
        for outcome in (fields["outcome"], "2"):
            reply = self.post("/polls/duel/vote", fields | {"outcome": outcome})
            assert reply["outcome"] == fields["outcome"], reply
            assert reply["page"] == f"/votes/{token}/", reply

    def post(self, path: str, fields: dict[str, str], **note: str) -> dict[str, Any]:
        status, text = self.browser.ask("POST", path, **fields)
        assert status == 200, f"{status} {text}"
        if note:
            self.write(**note)
        reply: dict[str, Any] = json.loads(text)
        return reply


def main() -> None:
    port, votes, seed, path = sys.argv[1:]
    with open(path, "a") as out:
        Writer(int(port), random.Random(int(seed)), out).run(int(votes))


if __name__ == "__main__":
    main()
