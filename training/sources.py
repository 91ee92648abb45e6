"""Where posts come from: files cut into parts, and all of their posts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.json_files import JsonFile, has_lines
from training.parts import BadRecord, JsonLines, Part, Sidecars, SqliteRows, Unreadable, read_only
from training.posts import MOST, Post, Report, parse_post

PART_ROWS = 50_000
RECORD_BYTES = 640  # of a record as a line of JSON, about
IMAGES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
PLAN = "plan.json"  # what `training.prepare` writes first into a prepared set
MADE_BY = "make the data set with `python -m training dataset demo --out FOLDER`, or name a file of posts"


def parts_of(path: Path, rows: int = PART_ROWS) -> list[Part]:
    """The parts of a source, in order: a file of posts, a folder of such files, or a folder of images with captions.

    Each has about ``rows`` posts, fewer where a file or a row group ends.

    Raises:
        UserError: there is nothing to read, or it cannot be opened; names what was expected.
    """
    try:
        return _parts_of_folder(path, rows) if path.is_dir() else _parts_of_file(path, rows)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _parts_of_file(path: Path, rows: int) -> list[Part]:
    if not path.is_file():
        raise UserError(f"{path} is missing: {MADE_BY}")
    kind = path.suffix.lower()
    if kind == ".json" and not has_lines(path):
        return [JsonFile(path)]
    if kind == ".parquet":
        return list(parquet().row_ranges(path, rows))
    return _row_ranges(path, rows) if kind in {".sqlite", ".sqlite3", ".db"} else line_parts(path, rows * RECORD_BYTES)


def _parts_of_folder(folder: Path, rows: int) -> list[Part]:
    if (folder / "posts.jsonl").is_file():
        return line_parts(folder / "posts.jsonl", rows * RECORD_BYTES)
    prepared = sorted(folder.glob("parts/*/posts.*"))
    files = prepared or sorted(path for kind in ("jsonl", "parquet") for path in folder.glob(f"*.{kind}"))
    if files:
        return [part for file in files for part in _parts_among_others(file, rows)]
    images = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in IMAGES)
    if not images:
        raise UserError(f"{folder / 'posts.jsonl'} is missing: {MADE_BY}")
    starts = range(0, len(images), rows)
    return [Sidecars(folder, tuple(images[start : start + rows]), start + 1) for start in starts]


def _parts_among_others(file: Path, rows: int) -> list[Part]:
    try:
        return parts_of(file, rows)
    except UserError as error:
        return [Unreadable(file, str(error))]


def line_parts(file: Path, size: int) -> list[Part]:
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


def parquet() -> Any:
    """The module that reads and writes Parquet, loaded only where it is asked for, as pyarrow is an extra.

    Raises:
        UserError: pyarrow is not installed.
    """
    try:
        return import_module("training.parquet")
    except ModuleNotFoundError as error:
        raise UserError("Parquet needs pyarrow: install the extra `parquet`, or use JSON lines") from error


def _row_ranges(file: Path, rows: int) -> list[Part]:
    """By counting along the table's index, since its numbers may have gaps of any size."""
    query = "SELECT min(rowid), max(rowid) FROM (SELECT rowid FROM posts WHERE rowid > ? ORDER BY rowid LIMIT ?)"
    parts: list[Part] = []
    last = -MOST - 1
    try:
        with closing(read_only(file)) as connection:
            while (found := connection.execute(query, (last, rows)).fetchone())[0] is not None:
                first, last = found
                parts.append(SqliteRows(file, first, last))
    except sqlite3.Error as error:
        raise UserError(f"{file} needs a table named posts with Danbooru's field names: {error}") from error
    return parts


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
