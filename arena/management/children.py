"""The demo's child processes: each in a group of its own, with a log, and none left behind."""

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

PATIENCE_SECONDS = 20
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
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._stop_all()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def start(self, name: str, *command: str, nice: int = 0) -> Child:
        """Start a command; its output goes to `logs/<name>.log`. `nice` lowers its priority, 0 to 19."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
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
        self._running.append(child)
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
