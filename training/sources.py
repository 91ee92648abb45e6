"""Where posts come from: files cut into parts that can be read independently, in any process, one record at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from training.errors import UserError
from training.posts import Post, parse_post

Record = tuple[str, object]  # where it stands, and what stands there
PART_BYTES = 32 * 2**20
PART_ROWS = 50_000
IMAGES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
SIDECARS = (".json", ".txt", ".caption")
PLAN = "plan.json"  # what `training.prepare` writes first into a prepared set
MADE_BY = "make the data set with `python -m training dataset demo --out FOLDER`, or name a file of posts"


class Part(Protocol):
    """A piece of a source; cheap to send to another process."""

    def records(self) -> Iterator[Record]:
        """Its records in order. Raises UserError where the piece as a whole cannot be read."""


@dataclass(frozen=True)
class JsonLines:
    """The lines of ``file`` from byte ``start`` to ``end``; ``line`` is the number of the first."""

    file: Path
    start: int
    end: int
    line: int

    def records(self) -> Iterator[Record]:
        """One record a line; blank lines are passed over. A broken line is a record of its error."""
        with self.file.open("rb") as stream:
            stream.seek(self.start)
            number, left = self.line, self.end - self.start
            while left > 0:
                line = stream.readline()
                left -= len(line)
                if line.strip():
                    yield f"{self.file} line {number}", _decoded(line)
                number += 1


@dataclass(frozen=True)
class JsonFile:
    """A record, a list of them, or the sidecar that waifuc writes beside an image."""

    file: Path

    def records(self) -> Iterator[Record]:
        """The records of the file."""
        content = _decoded(self.file.read_bytes())
        for record in content if isinstance(content, list) else [content]:
            sidecar = isinstance(record, Mapping) and "danbooru" in record
            yield str(self.file), record["danbooru"] if sidecar else record


@dataclass(frozen=True)
class SqliteRows:
    """Rows ``first`` to ``last`` (rowid, inclusive) of the table ``posts`` of an SQLite database."""

    file: Path
    first: int
    last: int

    def records(self) -> Iterator[Record]:
        """One record a row; empty cells are left out, ``texts`` is a JSON list or one text."""
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            query = "SELECT rowid AS _rowid, * FROM posts WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
            for row in connection.execute(query, (self.first, self.last)):
                record = filled(dict(row))
                if isinstance(record.get("texts"), str):
                    record["texts"] = _texts(record["texts"])
                yield f"{self.file} row {record.pop('_rowid')}", record
        except sqlite3.Error as error:
            raise UserError(f"{self.file} cannot be read: {error}") from error
        finally:
            connection.close()


@dataclass(frozen=True)
class Sidecars:
    """Images of a folder, each with its caption in a file of the same name; ``first`` numbers the first of them."""

    folder: Path
    files: tuple[str, ...]
    first: int

    def records(self) -> Iterator[Record]:
        """A record for each image: Danbooru's from a ``.json``, tags from a ``.txt`` or ``.caption``.

        Posts without an id of their own are numbered by their place in the sorted folder.
        """
        for number, name in enumerate(self.files, self.first):
            yield str(self.folder / name), sidecar_record(self.folder, name, number)


def sidecar_record(folder: Path, name: str, number: int) -> object:
    """The record of one image; an exception where its sidecar is missing or unreadable, to be reported as any other."""
    image = folder / name
    found = next((image.with_suffix(kind) for kind in SIDECARS if image.with_suffix(kind).is_file()), None)
    own = {"id": number, "file_path": name, "file_ext": image.suffix[1:].lower()}
    if found is None:
        return UserError(f"{image.name} has no caption beside it ({', '.join(SIDECARS)})")
    if found.suffix == ".json":
        content = _decoded(found.read_bytes())
        record = content.get("danbooru", content) if isinstance(content, Mapping) else content
        return {**own, **record, "file_path": name} if isinstance(record, Mapping) else record
    try:
        text = found.read_text("utf-8").strip()
    except UnicodeDecodeError as error:
        return UserError(f"{found.name} is not UTF-8 text at byte {error.start}: save it as UTF-8")
    return {**own, **_caption_fields(text)}


def _caption_fields(text: str) -> dict[str, object]:
    """The first line as tags between commas; every further line is a natural-language text."""
    first, *others = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    if first.endswith("."):
        return {"tag_string": "", "texts": [first, *others]}
    return {"tag_string": " ".join("_".join(tag.split()) for tag in first.split(",")), "texts": others}


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
        return [part for file in files for part in parts_of(file)]
    images = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in IMAGES)
    if not images:
        raise UserError(f"{folder / 'posts.jsonl'} is missing: {MADE_BY}")
    starts = range(0, len(images), PART_ROWS)
    return [Sidecars(folder, tuple(images[start : start + PART_ROWS]), start + 1) for start in starts]


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
    for part in parts_of(path):
        for where, record in part.records():
            if isinstance(record, UserError):
                raise UserError(f"{where}: {record}")
            post = parse_post(record, where, report)
            if post.id in posts:
                raise UserError(f"{where}, post {post.id}: this id came before; ids must be unique")
            posts[post.id] = post
    return list(posts.values())


def reported(problem: str) -> None:
    """Nobody is told again."""


def _decoded(data: bytes) -> Any:
    """The JSON value, or what is wrong with it as a UserError, so that one bad line does not end a whole part."""
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        return UserError(f"not UTF-8 text at byte {error.start}: save it as UTF-8")
    except json.JSONDecodeError as error:
        return UserError(f"not JSON ({error.msg} at column {error.colno})")


def filled(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without its empty cells."""
    return {name: value for name, value in record.items() if value is not None}


def _texts(value: str) -> Sequence[str]:
    decoded = _decoded(value.encode())
    return decoded if isinstance(decoded, list) else [value]
