"""`manage.py demo` as a process: it opens the arena, Ctrl-C leaves nothing behind, a second run goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.site import ROOT, free_port, wait_for

pytestmark = [pytest.mark.loop, pytest.mark.timeout(900)]


class Demo:
    """One home, and the demo started in it as often as needed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.output = home / "terminal.txt"

    @contextlib.contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "arena.settings", "ARENA_HOME": str(self.home)}
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "ARENA_API_TOKEN"):
            environment.pop(name, None)
        command = [sys.executable, "manage.py", "demo", "--port", str(self.port), *options]
        with self.output.open("wb") as output:
            # A test suite started by nohup would have it ignore the end of its terminal.
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(120)

    def status(self) -> dict[str, Any]:
        """The status page's JSON; empty while the web server is not up."""
        address = f"http://127.0.0.1:{self.port}/status.json"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return dict(json.load(answer))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return {}

    def votable(self) -> set[str]:
        return {poll["kind"] for poll in self.status().get("polls", []) if poll["votable"]}


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """A home with a small data set already in it."""
    options = ("--seed", "0", "--images", "24", "--named", "4", "--workers", "1")
    command = [sys.executable, "-m", "training", "dataset", "demo", "--out", str(tmp_path / "dataset"), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return Demo(tmp_path)


def interrupt(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT) -> None:
    """Ctrl-C, or another signal that ends it, and then nothing of it may be left."""
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3, "web server, its worker process, and the Celery worker"
    process.send_signal(number)
    assert process.wait(120) == 130
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


def lives(process: psutil.Process) -> bool:
    """Whether it still does anything; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_demo_opens_the_arena_stops_whole_and_goes_on(demo: Demo) -> None:
    with demo.started("--no-train") as process:
        wait_for("a matchup of every poll", lambda: demo.votable() == {"fixed", "duel", "ffa"}, 400)
        status = demo.status()
        interrupt(process)
    text = demo.output.read_text()
    for expected in ("page up after", "first matchup of the free-prompt duel", "stopped; the same command goes on"):
        assert expected in text
    assert len(status["evaluations"]) >= 4, "a four-way poll needs the base and three earlier checkpoints"
    assert [step["state"] for step in status["demo"]["steps"]] == ["done"] * 4

    with demo.started("--no-train") as process:
        again = wait_for("the page", demo.status)
        wait_for("the polls' steps", lambda: demo.votable() == {"fixed", "duel", "ffa"})
        interrupt(process, signal.SIGHUP)
    assert again["samples"] >= status["samples"], "what was rendered is still there"
    assert [e["id"] for e in again["evaluations"]] == [e["id"] for e in status["evaluations"]]


def test_after_a_kill_the_same_command_goes_on(demo: Demo) -> None:
    with demo.started("--no-train") as process:
        wait_for("a matchup", demo.votable)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(120)
    assert all(map(lives, family))

    with demo.started("--no-train") as process:
        wait_for("its end", lambda: not any(map(lives, family)))
        wait_for("the page", demo.votable)
        interrupt(process)
    assert "ended what a killed demo had left running: web, worker" in demo.output.read_text()
