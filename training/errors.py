"""Errors meant for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


class UserError(Exception):
    """Something the user can put right; the message names the thing and the remedy.

    ``training.cli`` prints it on stderr without a traceback and exits with status 1.
    """


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within the block, a disk that is full or not writable raises UserError, which names ``path`` and the remedy."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write {path}: {error}; free some disk space and run the same command again") from error
