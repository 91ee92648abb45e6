"""Texts and register strings that come from elsewhere than the posts, joined to them by id (docs/prepare.md).

A captioner's texts of 20 million posts are too many for memory, so they are sorted into an SQLite file first, where
every process looks them up while the set is prepared.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.files import whole, write_text
from training.errors import UserError
from training.parts import BadRecord, read_only
from training.posts import MOST
from training.sources import parts_of

FILE, PROBLEMS = "scan/additions.sqlite", "texts-problems.jsonl"
WITHOUT = "texts or a register string of a post that is not there"
# Texts of one post in several records stand one behind the other; the first register string stays.
_JOIN = """
    INSERT INTO additions VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET
    register = CASE WHEN register = '' THEN ?3 ELSE register END,
    texts = (SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(texts) UNION ALL SELECT value FROM json_each(?2)))
"""


class Additions:
    """What was indexed, by id."""

    def __init__(self, file: Path) -> None:
        """Raises UserError where the file cannot be opened."""
        self._file = file
        with _reading(file):
            self._connection = read_only(file)

    def joined(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with its post's further texts behind its own, and with a register string if it had none.

        Raises UserError where the file is damaged.
        """
        values = dict(record)
        number = record.get("id")
        if not isinstance(number, int) or not 0 < number <= MOST:
            return values
        query = "SELECT texts, register FROM additions WHERE id = ?"
        with _reading(self._file):
            found = self._connection.execute(query, (number,)).fetchone()
        if found is None:
            return values
        texts, register = json.loads(found[0]), found[1]
        own = values.get("texts") or []
        if texts and isinstance(own, list | str):
            values["texts"] = [*([own] if isinstance(own, str) else own), *texts]
        return values if not register or values.get("register") else values | {"register": register}


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise UserError(f"{file} cannot be read: {error}; delete it and run the same command again") from error


@cache
def additions_of(out: Path) -> Additions | None:
    """Those of a set that is being prepared, opened once a preparation and process; None where it has none."""
    return Additions(out / FILE) if (out / FILE).is_file() else None


def index(files: Sequence[str], out: Path, *, stop: bool) -> None:
    """Write ``out``/scan/additions.sqlite, and beside the set's parts a line for each record that could not be used.

    Raises:
        UserError: a file is missing or cannot be read, the disk is full; or, with ``stop``, a record cannot be used.
    """
    try:
        _index(files, out, stop=stop)
    except sqlite3.Error as error:
        raise UserError(
            f"cannot write {out / FILE}: {error}; free some disk space and run the same command again"
        ) from error


def _index(files: Sequence[str], out: Path, *, stop: bool) -> None:
    told: list[str] = []
    with whole(out / FILE) as partial, closing(sqlite3.connect(partial)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")  # the file is there whole or not at all
        connection.execute("CREATE TABLE additions (id INTEGER PRIMARY KEY, texts TEXT, register TEXT)")
        for where, record in (found for file in files for part in parts_of(Path(file)) for found in part.records()):
            row, problem = _row(record)
            if problem and stop:
                raise UserError(f"{where}, post {row[0] or 'without id'}: {problem}")
            if problem:
                told.append(as_line(row[0], where, problem))
            else:
                connection.execute(_JOIN, row)
        write_text(out / PROBLEMS, "".join(f"{line}\n" for line in told))


def _row(record: object) -> tuple[tuple[int, str, str], str]:
    """Id, texts as a JSON list, and register string; and what is wrong, or nothing."""
    if not isinstance(record, Mapping):
        return (getattr(record, "post", 0), "", ""), str(record) if isinstance(record, BadRecord) else "is no object"
    number = record.get("id")
    number = number if isinstance(number, int) else 0
    texts, register = record.get("texts") or [], record.get("register") or ""
    texts = [texts] if isinstance(texts, str) else texts
    problem = _problem(number, texts, register)
    return (number, "" if problem else json.dumps(texts), register), problem


def _problem(number: int, texts: object, register: object) -> str:
    if not 0 < number <= MOST:
        return "has no id of a post"
    if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        return f"field 'texts' must be a text or a list of them, found {texts!r}"
    if not isinstance(register, str) or "," in register or len(register.split()) > 1:
        return f"field 'register' must be one word, found {register!r}"
    return "" if texts or register else "has neither texts nor a register string"


def write_without_post(out: Path, ids: NDArray[np.int64]) -> None:
    """Add a line to ``out``/texts-problems.jsonl for each indexed id that none of the posts has."""
    with _reading(out / FILE), closing(read_only(out / FILE)) as connection:
        found = np.fromiter((row[0] for row in connection.execute("SELECT id FROM additions")), np.int64)
    told = (out / PROBLEMS).read_text("utf-8").splitlines() if (out / PROBLEMS).is_file() else []
    unused = [as_line(number, "", WITHOUT) for number in np.setdiff1d(found, ids).tolist()]
    lines = [*(line for line in told if WITHOUT not in line), *unused]
    write_text(out / PROBLEMS, "".join(f"{line}\n" for line in lines))


def as_line(post: int, where: str, problem: str) -> str:
    """A problem as the parts' ``problems.jsonl`` have them."""
    return json.dumps({"post": post, "where": where, "problem": problem, "kept": False}, ensure_ascii=False)
