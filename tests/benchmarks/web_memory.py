"""Resident memory of the web process after a few pages."""

import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.site import Site


def workers(folder: Path) -> tuple[Callable[[], float], Callable[[], float]]:
    """Ours, and the limit in megabytes."""
    return measured, lambda: 150.0


def measured() -> float:
    """Megabytes of the largest gunicorn process after it served the home page and a board."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.manage("migrate", "--verbosity", "0")
        arguments = ("-c", "python:arena.serving", "arena.wsgi", "--bind", f"127.0.0.1:{site.port}")
        with site.process("web", "gunicorn", *arguments) as child:
            from_start = psutil.Process(child.pid)
            while not site.healthy():
                pass
            for path in ("/", "/boards/trueskill/", "/status/"):
                urllib.request.urlopen(site.url + path, timeout=20).read()
            family = [from_start, *from_start.children(recursive=True)]
            return max(process.memory_info().rss for process in family) / 2**20
