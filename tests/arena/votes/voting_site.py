"""A real web server with one poll, and a client that votes as a browser without JavaScript does."""

import contextlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.site import Site, wait_for

POLL = (
    "import django; django.setup();"
    "from tests.arena.votes.building import ready_poll; ready_poll('duel', contestants=3, prompts=2)"
)

WORKER = (
    "import django; django.setup(); from datetime import timedelta; from django.utils import timezone;"
    "from arena.evaluations.models import Worker;"
    "Worker.objects.create(name='celery@here', pid=1, seen_at=timezone.now() + timedelta(hours=1))"
)


@contextlib.contextmanager
def voting_site(site: Site, *options: str) -> Iterator[Site]:
    """Migrate, make a duel of three contestants, and serve it by gunicorn with these options."""
    site.home.mkdir(parents=True, exist_ok=True)
    (site.home / "static").mkdir(exist_ok=True)
    site.manage("migrate", "-v0")
    site.command("-c", POLL)
    with site.process("web", "gunicorn", "arena.wsgi", "--bind", f"127.0.0.1:{site.port}", *options):
        wait_for("the first answer of the web server", lambda: answers(site))
        yield site


def answers(site: Site) -> bool:
    with contextlib.suppress(urllib.error.URLError, ConnectionError):
        return urllib.request.urlopen(site.url + "/privacy/", timeout=60).status == 200
    return False


@dataclass
class Browser:
    """Cookies and the hidden fields of the page last opened."""

    site: Site
    cookies: str = ""
    fields: dict[str, str] | None = None

    def open_booth(self) -> None:
        request = urllib.request.Request(self.site.url + "/polls/duel/", headers={"Cookie": self.cookies})
        with urllib.request.urlopen(request, timeout=60) as answer:
            set_cookies = answer.headers.get_all("Set-Cookie") or []
            page = answer.read().decode()
        self.cookies = "; ".join(cookie.split(";", 1)[0] for cookie in set_cookies) or self.cookies
        self.fields = dict(re.findall(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"', page))

    def post(self, path: str, **fields: str) -> tuple[int, Any]:
        """Status and JSON of a form sent to the server."""
        data = urllib.parse.urlencode((self.fields or {}) | fields).encode()
        headers = {"Cookie": self.cookies, "Accept": "application/json"}
        request = urllib.request.Request(self.site.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
