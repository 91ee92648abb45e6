"""Pieces of a source of posts that can be read independently, in any process, one record at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from training.errors import UserError

Record = tuple[str, object]  # where it stands, and what stands there
SIDECARS = (".json", ".txt", ".caption")
BOM = b"\xef\xbb\xbf"  # what some editors put before UTF-8


class BadRecord(UserError):
    """Stands in place of a record that cannot be read; ``post`` is its post's id where that is known, or 0."""

    post = 0


def bad_record(post: object, problem: str) -> BadRecord:
    """What stands in place of the record of ``post``, if that is an id."""
    bad = BadRecord(problem)
    bad.post = post if isinstance(post, int) else 0
    return bad


class Part(Protocol):
    """A piece of a source; cheap to send to another process. As text it says where it lies."""

    def records(self) -> Iterator[Record]:
        """Its records in order. Raises UserError where the piece as a whole cannot be read."""


@dataclass(frozen=True)
class JsonLines:
    """The lines of ``file`` from byte ``start`` to ``end``; ``line`` is the number of the first."""

    file: Path
    start: int
    end: int
    line: int

    def __str__(self) -> str:
        return f"{self.file} from line {self.line} on"

    def records(self) -> Iterator[Record]:
        """One record a line; blank lines are passed over. A broken line is a record of its error."""
        with self.file.open("rb") as stream:
            stream.seek(self.start)
            number, left = self.line, self.end - self.start
            while left > 0:
                line = stream.readline()
                left -= len(line)
                if line.strip():
                    yield f"{self.file} line {number}", decoded(line)
                number += 1


def read_only(file: Path) -> sqlite3.Connection:
    """An SQLite database that is there, whatever its path is called: `#`, `?` and `%` mean something in a URI.

    Raises sqlite3.Error where it cannot be opened.
    """
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


@dataclass(frozen=True)
class SqliteRows:
    """Rows ``first`` to ``last`` (rowid, inclusive) of the table ``posts`` of an SQLite database."""

    file: Path
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file} from row {self.first} on"

    def records(self) -> Iterator[Record]:
        """One record a row; empty cells are left out, ``texts`` is a JSON list or one text, ``synthetic`` 0 or 1."""
        query = "SELECT rowid AS _rowid, * FROM posts WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        try:
            with closing(read_only(self.file)) as connection:
                connection.row_factory = sqlite3.Row
                connection.text_factory = bytes  # SQLite takes any for text; those of one row must not end the others
                for row in connection.execute(query, (self.first, self.last)):
                    record = filled(dict(row))
                    yield f"{self.file} row {record.pop('_rowid')}", _from_cells(record)
        except sqlite3.Error as error:
            raise UserError(f"{self.file} cannot be read: {error}") from error


def _from_cells(record: dict[str, Any]) -> dict[str, Any] | BadRecord:
    """A row of SQLite, whose texts are bytes, as a record."""
    name = ""
    try:
        for name, value in record.items():
            record[name] = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        return bad_record(record.get("id"), f"field {name!r} is not UTF-8 text at byte {error.start}: save it as UTF-8")
    if isinstance(record.get("texts"), str):
        record["texts"] = _texts(record["texts"])
    if record.get("synthetic") in {0, 1}:
        record["synthetic"] = bool(record["synthetic"])
    return record


@dataclass(frozen=True)
class Sidecars:
    """Images of a folder, each with its caption in a file of the same name; ``first`` numbers the first of them."""

    folder: Path
    files: tuple[str, ...]
    first: int

    def __str__(self) -> str:
        return f"{self.folder} from {self.files[0]} on"

    def records(self) -> Iterator[Record]:
        """A record for each image: Danbooru's from a ``.json``, tags from a ``.txt`` or ``.caption``.

        Posts without an id of their own are numbered by their place in the sorted folder.
        """
        for number, name in enumerate(self.files, self.first):
            try:
                record = sidecar_record(self.folder, name, number)
            except OSError as error:
                record = BadRecord(f"the caption beside it cannot be read: {error.strerror or error}")
            if isinstance(record, BadRecord):
                record.post = number
            yield str(self.folder / name), record


@dataclass(frozen=True)
class Unreadable:
    """A file among others that cannot be opened; the work on the others may go on."""

    file: Path
    problem: str

    def __str__(self) -> str:
        return str(self.file)

    def records(self) -> Iterator[Record]:
        """Raises UserError with the problem."""
        raise UserError(self.problem)


def sidecar_record(folder: Path, name: str, number: int) -> object:
    """The record of one image; an exception where its sidecar is missing or unreadable, to be reported as any other."""
    image = folder / name
    found = next((image.with_suffix(kind) for kind in SIDECARS if image.with_suffix(kind).is_file()), None)
    own = {"id": number, "file_path": name, "file_ext": image.suffix[1:].lower()}
    if found is None:
        return BadRecord(f"{image.name} has no caption beside it ({', '.join(SIDECARS)})")
    if found.suffix == ".json":
        content = decoded(found.read_bytes())
        record = content.get("danbooru", content) if isinstance(content, Mapping) else content
        return {**own, **record, "file_path": name} if isinstance(record, Mapping) else record
    try:
        text = found.read_text("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        return BadRecord(f"{found.name} is not UTF-8 text at byte {error.start}: save it as UTF-8")
    return {**own, **_caption_fields(text)}


def _caption_fields(text: str) -> dict[str, object]:
    """The first line as tags between commas; every further line is a natural-language text."""
    first, *others = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    if first.endswith("."):
        return {"tag_string": "", "texts": [first, *others]}
    return {"tag_string": " ".join("_".join(_unescaped(tag).split()) for tag in first.split(",")), "texts": others}


def _unescaped(tag: str) -> str:
    """``amiya (arknights)`` of ``amiya \\(arknights\\)``, as captions stand where plain brackets are weights."""
    return tag.replace("\\(", "(").replace("\\)", ")") if "\\(" in tag and "\\)" in tag else tag


def decoded(data: bytes) -> Any:
    """The JSON value, or what is wrong with it as a UserError, so that one bad line does not end a whole part."""
    try:
        value = json.loads(data.removeprefix(BOM).decode())
        return value if b"\\ud" not in data.lower() else of_whole_characters(value)
    except UnicodeDecodeError as error:
        return BadRecord(f"not UTF-8 text at byte {error.start}: save it as UTF-8")
    except json.JSONDecodeError as error:
        return BadRecord(f"not JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return BadRecord("not JSON that can be read: brackets within brackets, too deep")


def of_whole_characters(value: Any, problem: str = "") -> Any:
    """The value, if it can be written as UTF-8: JSON may escape half a character, which is then no text.

    ``problem`` is said in place of that where it is something else.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        number = value.get("id") if isinstance(value, Mapping) else None
        return bad_record(number, problem or f"holds half a character, {error.object[error.start]!r}")
    return value


def filled(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without its empty cells."""
    return {name: value for name, value in record.items() if value is not None}


def _texts(value: str) -> Sequence[str]:
    found = decoded(value.encode())
    return found if isinstance(found, list) else [value]
