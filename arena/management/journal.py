"""What the demo did so far and how long it took: on the terminal, and in a file for the status page."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from arena.evaluations.status import spell_seconds

STATES = {"running": "…", "done": "[green]✓[/green]", "failed": "[red]✕[/red]"}


class Journal:
    """Steps that begin and end, and moments counted from the start."""

    def __init__(self, path: Path, console: Console, started: float, clock: Callable[[], float] = time.time) -> None:
        """Begin at Unix time `started`; every change is written to `path` as JSON."""
        self._path = path
        self._console = console
        self._started = started
        self._clock = clock
        self._steps: list[dict[str, str]] = []
        self._times: list[dict[str, str]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Something that takes a while: announced, timed, and marked as failed if it raises."""
        entry = {"title": title, "state": "running", "took": ""}
        self._steps.append(entry)
        self._write()
        begun = self._clock()
        try:
            with self._console.status(f"{title} …"):
                yield
        except BaseException:
            self._finish(entry, "failed", begun)
            raise
        self._finish(entry, "done", begun)

    def mark(self, title: str, since: float | None = None) -> float:
        """Note that something happened now, and how long it took since Unix time `since` (the start); returns now."""
        now = self._clock()
        took = spell_seconds(now - (self._started if since is None else since))
        self._times.append({"title": title, "took": took})
        self._write()
        self._console.print(f"[bold]{title}[/bold] after {took}")
        return now

    def table(self) -> Table:
        """Every moment noted so far."""
        table = Table(title="Times of this demo", title_justify="left")
        table.add_column("what")
        table.add_column("took", justify="right")
        for entry in self._times:
            table.add_row(entry["title"], entry["took"])
        return table

    def _finish(self, entry: dict[str, str], state: str, begun: float) -> None:
        entry.update(state=state, took=spell_seconds(self._clock() - begun))
        self._write()
        self._console.print(f"{STATES[state]} {entry['title']} ({entry['took']})")

    def _write(self) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"steps": self._steps, "times": self._times}), encoding="utf-8")
        os.replace(partial, self._path)
