"""A real arena in a folder of its own: web server, worker and commands as separate processes."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")
ROOT = Path(__file__).resolve().parent.parent
TOKEN = "token-of-the-tests"


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, look: Callable[[], Found], seconds: float = 240) -> Found:
    """Call `look` until it returns something true; AssertionError after `seconds`: more than a busy machine needs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Site:
    """One ARENA_HOME with its processes. `url` answers once `serving()` is entered."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "ARENA_HOME": str(home),
            "ARENA_API_TOKEN": TOKEN,
            "DJANGO_SETTINGS_MODULE": "arena.settings",
            "CELERY_BROKER_URL": f"sqla+sqlite:///{home / 'queue.sqlite3'}",
            "DATABASE_URL": f"sqlite:///{home / 'arena.sqlite3'}",
            # Tests answer faster than people, and their votes count all the same, however fast the machine is.
            "ARENA_MIN_ANSWER_MS": "0",
            **environment,
        }

    def command(self, *arguments: str) -> str:
        """Run `python …` to its end and return its standard output; AssertionError with its errors if it fails."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def manage(self, *arguments: str) -> str:
        """Run `manage.py …` to its end and return its standard output."""
        return self.command("manage.py", *arguments)

    @contextlib.contextmanager
    def process(self, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A child in a process group of its own; its output goes to `<home>/<name>.log`; ended on leaving."""
        with (self.home / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """gunicorn, answering."""
        settings = ("-c", "python:arena.serving")
        with self.process("web", "gunicorn", *settings, "arena.wsgi", "--bind", f"127.0.0.1:{self.port}") as web:
            wait_for("the first answer of the web server", self.healthy)
            yield web

    def worker(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """One Celery worker."""
        return self.process("worker", "celery", "-A", "arena", "worker", "--pool", "solo", "--loglevel", "info")

    def healthy(self) -> bool:
        try:
            return bool(self.get("/api/health"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def rows(self, query: str, *values: object) -> list[Any]:
        """What the site's SQLite file answers to a query."""
        with contextlib.closing(sqlite3.connect(self.home / "arena.sqlite3", timeout=60)) as database:
            return database.execute(query, values).fetchall()

    def get(self, path: str) -> Any:
        """The JSON that the API or the status page answers."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
