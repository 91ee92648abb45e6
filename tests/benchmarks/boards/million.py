"""Boards of a million votes, 200 contestants and 20 prompt sets on PostgreSQL, against the limits set for them.

Beside the seconds stand those of processor time that the web server spent, which a busy machine stretches less.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from tests.benchmarks.votes.roundtrip import UNLIMITED
from tests.site import ROOT, Site, wait_for
from tests.soak.database import postgres_database

VOTES, QUICK_VOTES, WAITING = 1_000_000, 60_000, 10_000
WARM, COLD, FRESH = 0.3, 3.0, 2.0
RATE, SECONDS, LOOK_EVERY, PATIENCE = 50, 30, 1.25, 600
METRICS = ("trueskill", "elo", "elo-twa", "joint", "winrate")
COMPARISON = "/compare/?a=run-00+epoch+1&b=run-00+epoch+9"
THROUGH = re.compile(r"Vote log up to vote (\d+)")


@dataclass(frozen=True)
class Line:
    """Some seconds, the limit set for them (None: none was set), and the web server's processor seconds for each."""

    name: str
    seconds: list[float]
    limit: float | None = None
    processor: float | None = None


def measured(say: Callable[[str], None], only: list[str], quick: bool) -> list[Line]:
    """Everything about large boards; nothing when another name is asked for."""
    if not any(word in "boards: a million votes" for word in only):
        return []
    votes = QUICK_VOTES if quick else VOTES
    say(f"measuring: boards of {votes:,} votes…")
    with TemporaryDirectory() as folder, postgres_database(f"arena_boards_{os.getpid()}") as url:
        site = Site(Path(folder), DATABASE_URL=url, **UNLIMITED)
        site.manage("migrate", "-v0")
        site.command("-m", "tests.benchmarks.boards.filling", str(votes), str(WAITING))
        lines = []
        with site.worker():
            with site.serving() as web:
                for metric in METRICS:
                    lines += first_look(site, metric)
                    say(f"  {metric}: folded and settled after {lines[-1].seconds[0]:.1f} s")
                for metric in METRICS:
                    lines.append(warm(site, web.pid, f"{metric}: page, warm", f"/boards/{metric}/"))
                lines.append(warm(site, web.pid, "comparison: page, warm", COMPARISON))
            for name, path in (
                ("trueskill", "/boards/trueskill/"),
                ("joint", "/boards/joint/"),
                ("comparison", COMPARISON),
            ):
                lines.append(
                    Line(f"{name}: first page of a new web process", [cold(site, path) for _ in range(3)], COLD)
                )
            with site.serving() as web:
                page(site, "/boards/trueskill/")
                for metric in METRICS:
                    before = processor_seconds(web.pid)
                    lags, pages = fresh(site, metric)
                    spent = (processor_seconds(web.pid) - before) / pages
                    lines.append(Line(f"{metric}: vote to board at {RATE} votes/s", lags, FRESH, spent))
        found = json.loads(
            site.command("-m", "tests.benchmarks.boards.share", "trueskill", str(int(RATE * LOOK_EVERY)), "7")
        )
        return [
            *lines,
            Line("trueskill: page with 75 new votes", found["pages"], WARM, found["pages_processor"]),
            Line("  of it folding", found["folding"], None, found["folding_processor"]),
        ]


def page(site: Site, path: str) -> tuple[str, float]:
    start = time.perf_counter()
    with urllib.request.urlopen(site.url + path, timeout=60) as answer:
        text = answer.read().decode()
    return text, time.perf_counter() - start


def warm(site: Site, server: int, name: str, path: str) -> Line:
    """Ten looks after a first one."""
    page(site, path)
    before = processor_seconds(server)
    seconds = [page(site, path)[1] for _ in range(10)]
    return Line(name, seconds, WARM, (processor_seconds(server) - before) / len(seconds))


def processor_seconds(leader: int) -> float:
    """What all processes of a process group have run so far, in seconds (Linux)."""
    spent = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) == leader:
                spent += sum(int(file.read_text().split()[0]) for file in process.glob("task/*/schedstat"))
    return spent / 1e9


def first_look(site: Site, metric: str) -> list[Line]:
    """A board that was never looked at: the pages meanwhile, and how long until it is complete."""
    start, pages = time.perf_counter(), list[float]()

    def complete() -> bool:
        text, seconds = page(site, f"/boards/{metric}/?fragment=1")
        pages.append(seconds)
        time.sleep(LOOK_EVERY)
        return "<dt>Intervals" in text and "as of vote" not in text and "still being counted" not in text

    wait_for(f"the {metric} board with all votes", complete, PATIENCE)
    whole = time.perf_counter() - start
    return [
        Line(f"{metric}: pages while a worker folds it all", pages, COLD),
        Line(f"{metric}: all folded and settled", [whole]),
    ]


def cold(site: Site, path: str) -> float:
    with site.serving():
        return page(site, path)[1]


def fresh(site: Site, metric: str) -> tuple[list[float], int]:
    """Seconds from the commit of each vote to the first board, looked at as the page's script does, that counts it; and
    how often it was looked at.
    """
    command = [sys.executable, "-m", "tests.benchmarks.boards.voting", str(RATE * SECONDS), str(RATE)]
    child = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=subprocess.PIPE, text=True)
    committed: list[tuple[int, float]] = []

    def listen() -> None:
        for line in child.stdout or ():
            number, moment = line.split()
            committed.append((int(number), float(moment)))

    listener = threading.Thread(target=listen)
    listener.start()
    seen: list[tuple[int, float]] = []
    while child.poll() is None or not committed or seen[-1][0] < committed[-1][0]:
        start = time.time()
        text, _ = page(site, f"/boards/{metric}/?fragment=1")
        seen.append((int(THROUGH.findall(text)[0]), time.time()))
        time.sleep(max(0.0, LOOK_EVERY - (time.time() - start)))
    listener.join()
    lags = [next(moment for through, moment in seen if through >= number) - when for number, when in committed]
    return lags, len(seen)


def table(lines: list[Line]) -> Table:
    """Median, spread and what is left to the limit."""
    load = f"load average {os.getloadavg()[1]:.1f} of the last 5 minutes on {os.cpu_count()} cores"
    made = Table("what", "s: median [min, max]", "processor s", "limit", "limit / median", "limit / max", caption=load)
    for line in lines:
        middle, most = statistics.median(line.seconds), max(line.seconds)
        ratios = (
            ("", "", "")
            if line.limit is None
            else (f"{line.limit:g}", f"{line.limit / middle:.1f}", f"{line.limit / most:.1f}")
        )
        spent = "" if line.processor is None else f"{line.processor:.3f}"
        made.add_row(line.name, f"{middle:.3f} [{min(line.seconds):.3f}, {most:.3f}]", spent, *ratios)
    return made
