"""Vote round trips (GET the matchup, POST the vote) against a bare Django view that inserts one row, on PostgreSQL."""

import contextlib
import http.client
import os
import re
import statistics
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from tests.site import Site, wait_for
from tests.soak.database import postgres_database

STORED = (1_000, 1_000_000)
CLIENTS, TRIPS, VOTES_OF_A_VOTER, ROUNDS = 4, 60, 30, 3
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"')
UNLIMITED = {"ARENA_VOTES_PER_MINUTE": "0", "ARENA_TICKETS_PER_MINUTE": "0", "ARENA_LOG_LEVEL": "CRITICAL"}
# The screening stays on; a program only answers sooner than anybody could.
UNLIMITED |= {"ARENA_MIN_ANSWER_MS": "0", "ARENA_SCREEN_VOTES_PER_MINUTE": "0"}


@dataclass(frozen=True)
class Line:
    """What one kind of trip did, all rounds together."""

    name: str
    rate: float
    p50: float
    p99: float


class Client:
    """A browser that keeps its connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.votes = 0

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> str:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if fields:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        self.connection.request(method, path, urllib.parse.urlencode(fields) if fields else None, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, f"{answer.status} {text}"
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";", 1)[0].split("=", 1)
            self.cookies[name] = value
        return text

    def round_trip(self) -> None:
        """A matchup, and the answer to it."""
        self.votes += 1
        if self.votes % VOTES_OF_A_VOTER == 0:
            self.cookies = {}
        fields = dict(HIDDEN.findall(self.ask("GET", "/polls/duel/")))
        self.ask("POST", "/polls/duel/vote", fields | {"outcome": "1"})

    def insert(self) -> None:
        """One row."""
        self.ask("POST", "/insert", {"answer": "1"})


Trip = Callable[[Client], None]


def measured(say: Callable[[str], None], only: list[str]) -> list[Line]:
    """Both servers at 1,000 and at 1,000,000 stored votes; nothing when another name is asked for."""
    if not any(word in "votes: round trips" for word in only):
        return []
    say("measuring: votes: round trips…")
    with TemporaryDirectory() as folder, postgres_database(f"arena_bench_{os.getpid()}") as url:
        site = Site(Path(folder), DATABASE_URL=url, **UNLIMITED)
        site.manage("migrate", "-v0")
        bare = Site(site.home, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="tests.benchmarks.votes.bare")
        lines = []
        for stored in STORED:
            site.command("-m", "tests.benchmarks.votes.filling", str(stored))
            with serving(site, "arena.wsgi"), serving(bare, "django.core.wsgi:get_wsgi_application()"):
                lines += compare(site.port, bare.port, stored)
        return lines


@contextlib.contextmanager
def serving(site: Site, application: str) -> Iterator[None]:
    """gunicorn with one process and four threads, as `arena.serving` has it."""
    options = ("-c", "python:arena.serving", "--bind", f"127.0.0.1:{site.port}")
    with site.process(f"web-{site.port}", "gunicorn", *options, application):
        wait_for("an answer", lambda: listens(site.port), 60)
        yield


def listens(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    return False


def compare(ours: int, theirs: int, stored: int) -> list[Line]:
    """The two in turn; the first round warms up."""
    kinds = {
        f"votes: round trips, {stored:,} stored": (Client.round_trip, [Client(ours) for _ in range(CLIENTS)]),
        f"bare view, one INSERT, {stored:,} stored": (Client.insert, [Client(theirs) for _ in range(CLIENTS)]),
    }
    rounds: dict[str, list[tuple[float, list[float]]]] = {name: [] for name in kinds}
    for _ in range(ROUNDS + 1):
        for name, (trip, clients) in kinds.items():
            rounds[name].append(at_once(trip, clients))
    return [line(name, found[1:]) for name, found in rounds.items()]


def at_once(trip: Trip, clients: list[Client]) -> tuple[float, list[float]]:
    """Every client makes its trips at the same time: seconds of all, and of each trip."""

    def many(client: Client) -> list[float]:
        # The server has closed what was idle since the last round.
        client.connection.close()
        return [timed(trip, client) for _ in range(TRIPS)]

    start = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        seconds = [one for found in pool.map(many, clients) for one in found]
    return time.perf_counter() - start, seconds


def timed(trip: Trip, client: Client) -> float:
    start = time.perf_counter()
    trip(client)
    return time.perf_counter() - start


def line(name: str, rounds: list[tuple[float, list[float]]]) -> Line:
    cuts = statistics.quantiles([one for _, seconds in rounds for one in seconds], n=100)
    rate = statistics.median(len(seconds) / whole for whole, seconds in rounds)
    return Line(name, rate, 1000 * cuts[49], 1000 * cuts[98])


def table(lines: list[Line]) -> Table:
    """Ours beside the peer of the same size of log."""
    made = Table("what", "a second", "p50 ms", "p99 ms", "rate / peer's", "p99 / peer's")
    for ours, peer in zip(lines[::2], lines[1::2], strict=True):
        numbers = (f"{ours.rate:.0f}", f"{ours.p50:.1f}", f"{ours.p99:.1f}")
        made.add_row(ours.name, *numbers, f"{ours.rate / peer.rate:.2f}", f"{ours.p99 / peer.p99:.2f}")
        made.add_row(peer.name, f"{peer.rate:.0f}", f"{peer.p50:.1f}", f"{peer.p99:.1f}")
    return made
