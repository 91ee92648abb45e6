"""Where posts come from: files cut into parts, and all of their posts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.parts import BadRecord, JsonFile, JsonLines, Part, Sidecars, SqliteRows, Unreadable
from training.posts import Post, Report, parse_post

PART_BYTES = 32 * 2**20
PART_ROWS = 50_000
IMAGES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
PLAN = "plan.json"  # what `training.prepare` writes first into a prepared set
MADE_BY = "make the data set with `python -m training dataset demo --out FOLDER`, or name a file of posts"


def parts_of(path: Path) -> list[Part]:
    """The parts of a source, in order: a file of posts, a folder of such files, or a folder of images with captions.

    Raises:
        UserError: there is nothing to read, or it cannot be opened; names what was expected.
    """
    if path.is_dir():
        return _parts_of_folder(path)
    if not path.is_file():
        raise UserError(f"{path} is missing: {MADE_BY}")
    kind = path.suffix.lower()
    if kind == ".json":
        return [JsonFile(path)]
    if kind == ".parquet":
        return _row_groups(path)
    return _row_ranges(path) if kind in {".sqlite", ".sqlite3", ".db"} else line_parts(path)


def _parts_of_folder(folder: Path) -> list[Part]:
    if (folder / "posts.jsonl").is_file():
        return line_parts(folder / "posts.jsonl")
    prepared = sorted(folder.glob("parts/*/posts.*"))
    files = prepared or sorted(path for kind in ("jsonl", "parquet") for path in folder.glob(f"*.{kind}"))
    if files:
        return [part for file in files for part in _parts_among_others(file)]
    images = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in IMAGES)
    if not images:
        raise UserError(f"{folder / 'posts.jsonl'} is missing: {MADE_BY}")
    starts = range(0, len(images), PART_ROWS)
    return [Sidecars(folder, tuple(images[start : start + PART_ROWS]), start + 1) for start in starts]


def _parts_among_others(file: Path) -> list[Part]:
    try:
        return parts_of(file)
    except UserError as error:
        return [Unreadable(file, str(error))]


def line_parts(file: Path, size: int = PART_BYTES) -> list[Part]:
    """Parts of about ``size`` bytes, each ending with a line."""
    parts: list[Part] = []
    start, line = 0, 1
    with file.open("rb") as stream:
        while block := stream.read(size):
            block += stream.readline()
            parts.append(JsonLines(file, start, start + len(block), line))
            start += len(block)
            line += block.count(b"\n")
    return parts


def _row_groups(file: Path) -> list[Part]:
    return list(parquet().row_groups(file))


def parquet() -> Any:
    """The module that reads and writes Parquet, loaded only where it is asked for, as pyarrow is an extra.

    Raises:
        UserError: pyarrow is not installed.
    """
    try:
        return import_module("training.parquet")
    except ModuleNotFoundError as error:
        raise UserError("Parquet needs pyarrow: install the extra `parquet`, or use JSON lines") from error


def _row_ranges(file: Path) -> list[Part]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        low, high = connection.execute("SELECT min(rowid), max(rowid) FROM posts").fetchone()
    except sqlite3.Error as error:
        raise UserError(f"{file} needs a table named posts with Danbooru's field names: {error}") from error
    finally:
        connection.close()
    if low is None:
        return []
    return [SqliteRows(file, first, min(first + PART_ROWS - 1, high)) for first in range(low, high + 1, PART_ROWS)]


def read_posts(path: Path) -> list[Post]:
    """All posts of a source that is small enough for memory, in order.

    Raises:
        UserError: nothing there, no JSON, a field missing or wrong, an id twice; names file, line and post id.
    """
    posts: dict[int, Post] = {}
    # What posts of a prepared set lack was reported when it was prepared.
    report = reported if (path / PLAN).is_file() else None
    for where, post in _parsed(path, report):
        if post.id in posts:
            raise UserError(f"{where}, post {post.id}: this id came before; ids must be unique")
        posts[post.id] = post
    return list(posts.values())


def each_post(path: Path) -> Iterator[Post]:
    """The posts one after another, whatever they lack; of a prepared set that was reported when it was prepared.

    Raises:
        UserError: as `read_posts`.
    """
    return (post for _, post in _parsed(path, reported))


def _parsed(path: Path, report: Report | None) -> Iterator[tuple[str, Post]]:
    """Posts and where each stands."""
    for part in parts_of(path):
        for where, record in part.records():
            if isinstance(record, BadRecord):
                raise UserError(f"{where}: {record}")
            yield where, parse_post(record, where, report)


def reported(problem: str) -> None:
    """Nobody is told again."""
