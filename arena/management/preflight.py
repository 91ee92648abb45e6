"""What must hold before the demo starts anything; each failure names its remedy."""

import errno
import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from django.core.management.base import CommandError

NEEDED_PYTHON = (3, 11)
NEEDED_BYTES = 1 << 30
PROCESSES = Path("/proc")
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
    """Raise CommandError if nobody can listen on host:port; it says who does, where that can be seen."""
    error = _refusal(host, port)
    if error is None:
        return
    if error.errno != errno.EADDRINUSE:
        raise CommandError(
            f"cannot listen on {host}:{port} ({error}): give a port from 1024 to 65535, and an address of this machine"
        ) from error
    free = next((other for other in range(port + 1, min(port + 100, 65536)) if _refusal(host, other) is None), None)
    remedy = f", or choose another port with `make demo PORT={free}`" if free else ""
    raise CommandError(f"port {port} is taken {_taken_by(port)}{remedy}") from error


def _refusal(host: str, port: int) -> OSError | None:
    """Why nobody can listen there."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OverflowError as error:
        return OSError(str(error))
    except OSError as error:
        return error
    return None


def _taken_by(port: int) -> str:
    """Who listens on a port and how to end it, as the rest of a sentence."""
    found = listening_process(port)
    if found is None:
        return f"by a program that cannot be seen from here (`sudo lsof -i :{port}` may name it): stop it"
    number, command = found
    return f"by process {number} (`{command}`): end it with `kill {number}`"


def listening_process(port: int) -> tuple[int, str] | None:
    """Number and command line of the process that listens on a TCP port, as far as /proc tells it (Linux only).

    Of several that share the socket, the one that was started first.
    """
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = [line.split() for line in (PROCESSES / "net" / table).read_text().splitlines()[1:]]
            # The fields are address:port in hex, state (0A is listening) and inode.
            inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    for process in sorted(PROCESSES.glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with suppress(OSError):
            if inodes & _open_files(process):
                command = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                return int(process.name), command.decode(errors="replace")
    return None


def _open_files(process: Path) -> set[str]:
    """What a folder of /proc says that its process has open. Raises OSError for a process of another user."""
    found = set()
    for file in (process / "fd").iterdir():
        # A file may be closed while we look.
        with suppress(FileNotFoundError):
            found.add(os.readlink(file))
    return found


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock: two demos would be two workers on a queue that takes one. Raises CommandError."""
    with (home / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            number = lock.read().strip() or "?"
            raise CommandError(
                f"a demo already runs in {home} (process {number}): stop it with Ctrl-C in its terminal or "
                f"`kill {number}`, or give another folder with --home DIR"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
