"""Writers vote over HTTP while web processes and the worker are killed; then what is stored is compared with what was
acknowledged."""

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.arena.votes.voting_site import answers
from tests.site import ROOT, Site, wait_for

BUDGET_SECONDS = 60
PATIENCE_SECONDS = 60
ENVIRONMENT = {
    "ARENA_RENDERER": "tests.soak.renderer.FlatColours",
    "ARENA_FREE_PROMPT_BUDGET_SECONDS": str(BUDGET_SECONDS),
    "ARENA_VOTES_PER_MINUTE": "0",
    "ARENA_TICKETS_PER_MINUTE": "0",
    "ARENA_MIN_ANSWER_MS": "0",
    "ARENA_SCREEN_VOTES_PER_MINUTE": "0",
    "ARENA_PROMPTS_A_DAY": "1000000",
    "ARENA_LOG_LEVEL": "ERROR",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Plan:
    """How much is done, and how often somebody is killed meanwhile."""

    writers: int = 8
    votes: int = 1000
    web_kills: int = 100
    worker_kills: int = 20
    whole_server_every: int = 10
    prompts: int = 40
    seconds: float = 900.0


class Server:
    """gunicorn with two processes, started anew when all of it is killed."""

    def __init__(self, site: Site, stack: contextlib.ExitStack, whole_every: int) -> None:
        self.site, self.stack, self.whole_every = site, stack, whole_every
        self.kills = 0
        self.start()

    def start(self) -> None:
        bind = ("--bind", f"127.0.0.1:{self.site.port}", "--no-control-socket")
        options = ("--preload", "--workers", "2", "--threads", "4", "--graceful-timeout", "5", *bind)
        self.child = self.stack.enter_context(self.site.process("web", "gunicorn", "arena.wsgi", *options))
        try:
            wait_for("the first answer of the web server", lambda: answers(self.site), PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.site.home / 'web.log').read_text()[-3000:]}") from error

    def kill(self, rng: random.Random) -> None:
        """SIGKILL one process that answers, or now and then all of them at once."""
        self.kills += 1
        if self.kills % self.whole_every == 0:
            kill_group(self.child)
            self.start()
            return
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            rng.choice(psutil.Process(self.child.pid).children()).kill()


class Worker:
    """The Celery worker, started anew when it is killed."""

    def __init__(self, site: Site, stack: contextlib.ExitStack) -> None:
        self.site, self.stack = site, stack
        self.kills = 0
        self.child = stack.enter_context(site.worker())

    def kill(self, rng: random.Random) -> None:
        """SIGKILL it."""
        self.kills += 1
        kill_group(self.child)
        self.child = self.stack.enter_context(self.site.worker())


def kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def soak(site: Site, plan: Plan, seed: int = 1) -> dict[str, Any]:
    """Do what the plan says; the figures, and under `faults` what does not fit.

    Raises AssertionError when a writer fails or the time is up.
    """
    site.environment |= ENVIRONMENT
    site.home.mkdir(parents=True, exist_ok=True)
    site.manage("migrate", "-v0")
    site.command("-m", "tests.soak.prepare", str(site.home / "checkpoints"), str(plan.prompts))
    files = [site.home / f"writer-{number}.jsonl" for number in range(plan.writers)]
    rng = random.Random(seed)
    with contextlib.ExitStack() as stack:
        server, worker = Server(site, stack, plan.whole_server_every), Worker(site, stack)
        start = time.monotonic()
        with writing(site, plan, files) as writers:
            keep_killing(plan, [(server, plan.web_kills), (worker, plan.worker_kills)], files, writers, rng)
        seconds = time.monotonic() - start
        wait_for("the end of every typed prompt", lambda: settled(site), BUDGET_SECONDS + 60)
    found: dict[str, Any] = json.loads(site.command("-m", "tests.soak.check", *map(str, files)).splitlines()[-1])
    kills = {"web kills": server.kills, "worker kills": worker.kills}
    return {"faults": found["faults"], **found["figures"], **kills, **times(files, seconds)}


@contextlib.contextmanager
def writing(site: Site, plan: Plan, files: list[Path]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The writers, at work; what they complain of goes to the site's folder."""
    with (site.home / "writers.log").open("wb") as log:
        module = (sys.executable, "-m", "tests.soak.writer")
        writers = [
            subprocess.Popen(
                [*module, str(site.port), str(plan.votes), str(number), str(file)], cwd=ROOT, stdout=log, stderr=log
            )
            for number, file in enumerate(files)
        ]
        try:
            yield writers
        finally:
            for writer in writers:
                writer.kill()
                writer.wait()
    complaints = (site.home / "writers.log").read_text()
    assert all(writer.returncode == 0 for writer in writers), complaints[-3000:]


def keep_killing(
    plan: Plan,
    victims: list[tuple[Server | Worker, int]],
    files: list[Path],
    writers: list[subprocess.Popen[bytes]],
    rng: random.Random,
) -> None:
    """Kill in step with the votes, so that every kill falls into the load; until the writers are done."""
    deadline = time.monotonic() + plan.seconds
    while any(writer.poll() is None for writer in writers):
        assert time.monotonic() < deadline, f"not done within {plan.seconds:g} s"
        share = sum(acknowledged(file) for file in files) / (plan.writers * plan.votes)
        for victim, kills in victims:
            if victim.kills < min(kills, (kills + 1) * share):
                victim.kill(rng)
        time.sleep(0.02)


def acknowledged(file: Path) -> int:
    return file.read_bytes().count(b'"vote"') if file.exists() else 0


def settled(site: Site) -> bool:
    """Whether no typed prompt waits any more."""
    script = (
        "import django; django.setup(); from arena.votes import free_prompts as f;"
        "f.expire(); print(len(f.resume_unfinished()))"
    )
    return site.command("-c", script).strip() == "0"


def times(files: list[Path], seconds: float) -> dict[str, Any]:
    """Round trips (GET the matchup, POST the vote), their retries included."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    trips = [trip for line in lines for trip in line.get("seconds", ())]
    cuts = statistics.quantiles(trips, n=100)
    return {
        "seconds": round(seconds, 1),
        "round trips a second": round(len(trips) / seconds, 1),
        "p50 ms": round(1000 * cuts[49], 1),
        "p99 ms": round(1000 * cuts[98], 1),
    }
