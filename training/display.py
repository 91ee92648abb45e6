"""What a person at the terminal sees of a run: a live bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from diffusers.utils import logging as diffusers_logging
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from transformers.utils import logging as transformers_logging

from training.hooks import Progress

LINE_SECONDS = 15.0


class TerminalDisplay:
    """Use as a context manager; ``say`` prints above the bar."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"))
        self._bar = Bar(*columns, console=self._console)
        self._task = self._bar.add_task("starting", total=None, facts="")
        self._last_line = 0.0

    def __enter__(self) -> TerminalDisplay:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line, in the terminal's plain colours."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step(self, progress: Progress) -> None:
        """Move the bar; without a terminal print a line now and then, and whenever there is a message."""
        label, facts = f"epoch {progress.epoch}/{progress.epochs}", describe(progress)
        total, done = progress.total_steps, progress.step
        self._bar.update(self._task, description=label, total=total, completed=done, facts=facts)
        now = time.monotonic()
        if not self._console.is_terminal and (progress.message or now - self._last_line >= LINE_SECONDS):
            self._last_line = now
            self.say(f"{label} {facts}")


def quieten_libraries() -> None:
    """Leave the terminal to the run: no progress bars of loaders, no notes on what this project does not use."""
    for library in (transformers_logging, diffusers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()


def describe(progress: Progress) -> str:
    """Step, loss, learning rate, img/s, wait for data, MFU, time left and message of a run, those that are known."""
    parts = [f"step {progress.step}/{progress.total_steps}"]
    if progress.loss is not None:
        raw = "" if progress.raw_loss is None else f" (raw {progress.raw_loss:.4f})"
        parts.append(f"loss {progress.loss:.4f}{raw}")
    if progress.rate is not None:
        parts.append(f"rate {progress.rate:.2e}")
    if progress.images_per_s is not None:
        parts.append(f"{progress.images_per_s:.1f} img/s")
    if progress.data_wait is not None:
        parts.append(f"data {progress.data_wait:.1%}")
    if progress.mfu is not None:
        parts.append(f"MFU {progress.mfu:.1%}")
    if progress.eta_s is not None and progress.state == "training":
        parts.append(f"{int(progress.eta_s) // 60}:{int(progress.eta_s) % 60:02d} left")
    if progress.state != "training":
        parts.append(progress.state)
    return ", ".join([*parts, progress.message] if progress.message else parts)
