"""What the commands share: the encoder that is asked for, a bar, rows."""

import json
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rating.ccip.cli import DEVICES
from rating.ccip.encoder import CCIPEncoder
from rating.ccip.encoder import Progress as Report
from rating.printing import print_rows

INCOMPLETE = 3


def encoder_of(options: Namespace) -> CCIPEncoder:
    """The encoder asked for. Raises MissingFileError, ContractError."""
    # Images that large are refused by us, by name.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    return CCIPEncoder.find(
        options.encoder,
        allow_download=options.allow_download,
        cache=options.cache,
        threads=options.threads or os.cpu_count(),
        chunk=options.chunk,
        providers=DEVICES.get(options.device),
    )


@contextmanager
def bar(words: str) -> Iterator[Report]:
    """A bar on the error output, so that the standard output holds the result alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """A table."""
    print_rows(rows, "table", sys.stdout, title=title)


def show_json(content: object) -> None:
    """In one piece."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def say(words: str) -> None:
    """On the error output."""
    print(words, file=sys.stderr)
