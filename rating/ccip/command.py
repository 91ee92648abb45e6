"""What the commands share: the encoder that is asked for, a bar, rows."""

import json
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rating.ccip.cli import DEVICES
from rating.ccip.encoder import CCIPEncoder
from rating.ccip.encoder import Progress as Report
from rating.ccip.errors import CCIPError
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
        threads=options.threads,
        cores=os.cpu_count() or 1,
        chunk=options.chunk,
        providers=DEVICES.get(options.device),
    )


@contextmanager
def bar(words: str) -> Iterator[Report]:
    """A bar on the error output where that is a terminal: the standard output holds the result alone, a log no bars."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def made(folder: Path) -> Path:
    """A folder to write into, made before the work whose result it is for. Raises CCIPError where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CCIPError(
            f"the folder {folder} cannot be made: {error.strerror or error}; name another by --out"
        ) from error
    if not os.access(folder, os.W_OK):
        raise CCIPError(f"the folder {folder} cannot be written to; name another by --out")
    return folder


def show(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """A table."""
    print_rows(rows, "table", sys.stdout, title=title)


def show_json(content: object) -> None:
    """In one piece."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def say(words: str) -> None:
    """On the error output."""
    print(words, file=sys.stderr)
