"""How far long work is: on the error output, and only where that is a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rating.system import Report


@contextmanager
def shown() -> Iterator[Report]:
    """A bar for the step at hand, gone at the end; the standard output holds the result alone."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                for earlier in tasks.values():
                    progress.update(earlier, visible=False)
                tasks[step] = progress.add_task(step, total=total or None, count="")
            count = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
            progress.update(tasks[step], completed=done, total=total or None, count=count)

        yield report
