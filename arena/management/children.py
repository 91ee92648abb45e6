"""The demo's child processes: each in a group of its own, with a log, and none left behind.

A child holds a lock on its log as long as anything of its group lives, also after a `kill -9` of the demo: by it
`end_leftovers` of the next run finds the child, whose number is in the file beside.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from django.core.management.base import CommandError

# Ctrl-C, `kill`, and a terminal that is closed.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 20
KILLED_SECONDS = 5
LOOK_SECONDS = 0.3
TAIL_LINES = 15


@dataclass
class Child:
    """A process that was started, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the child and whatever it started itself."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Children:
    """Use as a context manager: on leaving, every child is asked to stop, and after a while made to."""

    def __init__(self, folder: Path, logs: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._logs = logs
        self._environment = dict(environment)
        self._running: list[Child] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not interrupt this.
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
        try:
            self._stop_all()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def start(self, name: str, *command: str, nice: int = 0) -> Child:
        """Start a command; its output goes to `logs/<name>.log`. `nice` lowers its priority, 0 to 19."""
        log = self._logs / f"{name}.log"
        number = log.with_suffix(".pid")
        # An older number must not stand beside a lock of ours.
        number.unlink(missing_ok=True)
        with log.open("wb") as output:
            # The child inherits the open file, and the lock with it.
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                ["nice", "-n", str(nice), *command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        # First of all, so that it is ended whatever fails from here on.
        self._running.append(child)
        number.write_text(str(process.pid))
        return child

    def run(self, name: str, *command: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Run a command to its end while the others go on, and call `meanwhile` every now and then.

        Raises CommandError if the command, or another child, fails.
        """
        child = self.start(name, *command)
        while self.alive(child):
            meanwhile()
            time.sleep(LOOK_SECONDS)

    def alive(self, child: Child) -> bool:
        """Whether a child that may end still runs. Raises CommandError if it failed, or any other child ended."""
        for other in self._running:
            if other is not child:
                self._expect(other, other.process.poll() is None)
        code = child.process.poll()
        self._expect(child, not code)
        if code == 0 and child in self._running:
            self._running.remove(child)
        return code is None

    def check(self) -> None:
        """Raise CommandError if any child ended."""
        for child in self._running:
            self._expect(child, child.process.poll() is None)

    def _expect(self, child: Child, fine: bool) -> None:
        if not fine:
            status = child.process.returncode
            raise CommandError(f"{child.name} ended with exit status {status}. The end of {child.log}:\n{child.tail()}")

    def _stop_all(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for child in self._running:
            child.signal_group(signal.SIGTERM)
        for child in self._running:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            # Also what a child that ended may have left in its group.
            child.signal_group(signal.SIGKILL)
            child.process.wait()
        self._running.clear()


def end_leftovers(logs: Path) -> list[str]:
    """End what a killed demo left running, as gently as the demo would have; returns the names of the children.

    Only for who knows that no demo runs here. Raises CommandError, naming it, for a child that does not end.
    """
    left = [log for log in sorted(logs.glob("*.log")) if _written(log)]
    for log in left:
        _signal_writer(log, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(_written, left)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    deadline = time.monotonic() + KILLED_SECONDS
    while (stubborn := [log for log in left if _written(log)]) and time.monotonic() < deadline:
        for log in stubborn:
            _signal_writer(log, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)
    if stubborn:
        names = ", ".join(log.stem for log in stubborn)
        raise CommandError(f"an earlier demo left {names} running and it cannot be ended; who writes {stubborn[0]}?")
    return [log.stem for log in left]


def _written(log: Path) -> bool:
    """Whether a child still holds its log."""
    # NFS gives no exclusive lock on a file that is only read.
    with log.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _signal_writer(log: Path, number: signal.Signals) -> None:
    """Signal the group of the child that holds a log; nothing where its number is absent or it is another user's."""
    with suppress(OSError, ValueError):
        os.killpg(int(log.with_suffix(".pid").read_text()), number)
