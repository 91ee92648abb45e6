"""What must hold before the demo starts anything; each failure names its remedy."""

import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from django.core.management.base import CommandError

NEEDED_PYTHON = (3, 11)
NEEDED_BYTES = 1 << 30
NEEDED_PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "safetensors",
    "tokenizers",
    "gunicorn",
    "celery",
    "sqlalchemy",
)


def check(home: Path, host: str, port: int) -> None:
    """Raise CommandError for the first thing that is amiss: Python, packages, disk, port."""
    check_python(sys.version_info[:2])
    check_packages(NEEDED_PACKAGES)
    check_space(home, NEEDED_BYTES)
    check_port(host, port)


def check_python(version: tuple[int, int]) -> None:
    """Raise CommandError for a Python that is too old."""
    if version < NEEDED_PYTHON:
        wanted = ".".join(map(str, NEEDED_PYTHON))
        found = ".".join(map(str, version))
        raise CommandError(f"Python {wanted} or newer is needed, this is {found}: `make PYTHON=python3.12 demo`")


def check_packages(names: tuple[str, ...]) -> None:
    """Raise CommandError if one of these is not installed; none is imported."""
    absent = [name for name in names if find_spec(name) is None]
    if absent:
        raise CommandError(f"{', '.join(absent)} not installed: run `make install`, or `pip install -e '.[demo]'`")


def check_space(home: Path, needed: int) -> None:
    """Raise CommandError if the disk under `home` has less than `needed` bytes free."""
    free = shutil.disk_usage(home).free
    if free < needed:
        raise CommandError(
            f"{free >> 20} MiB free under {home}, the demo needs {needed >> 20}: "
            "free some, or give another folder with --home DIR"
        )


def check_port(host: str, port: int) -> None:
    """Raise CommandError if nobody can listen on host:port."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"cannot listen on {host}:{port} ({error}): stop what uses it, or choose another port with "
            f"`make demo PORT={min(port, 65000) + 1}`"
        ) from error


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock: two demos would be two workers on a queue that takes one. Raises CommandError."""
    with (home / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise CommandError(
                f"a demo already runs in {home} (process {lock.read().strip() or '?'}): "
                "stop it with Ctrl-C, or give another folder with --home DIR"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
