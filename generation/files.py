"""Files and folders that are there whole or not at all: written under another name, then renamed. No torch."""

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Stamp = tuple[str, int, int, int, int]  # name, size, times of change of content and of anything (ns), inode
Signature = tuple[Stamp, ...]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The name to write a file or folder under, ``<path>.partial``; it becomes ``path`` where the block ends well.

    Only then is what stood at ``path`` replaced. Where the block raises, what it wrote is removed; what a killed
    process left under that name is removed before the block begins.
    """
    partial = path.with_name(f"{path.name}.partial")
    remove(partial)
    try:
        yield partial
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        remove(partial)


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def signature(paths: Iterable[Path]) -> Signature:
    """Of every file, also below folders: equal ones have not been written to meanwhile.

    A file that is not there, or vanishes meanwhile, is no part of it.
    """
    return tuple(filter(None, (_stamp(file) for path in paths for file in _files(path))))


def _files(path: Path) -> list[Path]:
    """A file itself, or those below a folder, in order."""
    below = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    return below or [path]


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    times = found.st_mtime_ns, found.st_ctime_ns  # the first is what anybody says, the second is the system's own
    return (str(file), found.st_size, *times, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
