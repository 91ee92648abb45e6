"""Reads and writes vote files: CSV, JSONL and Parquet (docs/vote-file.md)."""

import csv
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any

from rating.columns import COLUMNS, Collector, Columns, Row
from rating.errors import VoteFileError
from rating.outcomes import Outcome, format_outcome
from rating.votes import KINDS, Votes

CHUNK = 5_000  # rows that stay in the cache while their columns are taken
ENDINGS = (".csv", ".jsonl", ".parquet")
# (column names, the line of the first row, rows or their columns)
Chunk = tuple[list[str], int, Sequence[Row] | Columns]


def read_votes(path: Path, *, progress: Callable[[int], None] | None = None) -> Votes:
    """Read a vote file by its ending: .csv, .jsonl or .parquet. `progress` is called with the number of rows so far.

    Raises VoteFileError naming the file, the line and the remedy: for a missing column, a value that cannot be read, a
    vote on one seat, a contestant seated twice, a vote that occurs twice, or a time that is no moment.
    """
    collector = Collector(str(path))
    try:
        for names, line, part in _reader(path)(path):
            if isinstance(part, Columns):
                collector.add_columns(line, part)
            else:
                collector.add(names, line, part)
            if progress:
                progress(collector.count)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VoteFileError(f"{path}: cannot be read: {error}") from error
    return collector.votes()


def write_votes(path: Path, votes: Votes) -> None:
    """Write a vote file by its ending; `read_votes` reads the same votes back. It appears whole or not at all.

    Raises VoteFileError for another ending.
    """
    _reader(path)
    names = [*COLUMNS, *votes.extra]
    partial = path.with_name(path.name + ".partial")
    if path.suffix == ".parquet":
        arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
        columns = list(zip(*_rows(votes), strict=True)) or [()] * len(names)
        parquet.write_table(arrow.table([arrow.array(column, arrow.string()) for column in columns], names), partial)
    else:
        with partial.open("w", newline="", encoding="utf-8") as file:
            if path.suffix == ".csv":
                csv.writer(file, lineterminator="\n").writerows([names, *_rows(votes)])
            else:
                lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in _rows(votes))
                file.writelines(line + "\n" for line in lines)
    partial.replace(path)


def _rows(votes: Votes) -> Iterator[Row]:
    for at, kind in enumerate(votes.kinds.tolist()):
        seated = votes.seats[at] >= 0
        ranks = tuple(votes.ranks[at, seated].tolist()) if votes.counted[at] else ()
        yield (
            votes.ids[at] if votes.ids else str(at + 1),
            datetime.fromtimestamp(votes.times[at], UTC).isoformat(),
            _name(votes.polls, votes.poll[at]),
            _name(votes.prompts, votes.prompt[at]),
            _name(votes.voters, votes.voter[at]),
            "|".join(votes.contestants[code] for code in votes.seats[at, seated]),
            format_outcome(Outcome(KINDS[kind], ranks)),
            *(column[at] for column in votes.extra.values()),
        )


def _name(names: tuple[str, ...], code: int) -> str:
    return names[code] if code >= 0 else ""


def _reader(path: Path) -> Callable[[Path], Iterator[Chunk]]:
    readers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    try:
        return readers[path.suffix]
    except KeyError:
        raise VoteFileError(f"{path}: the ending must be {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}") from None


def _csv(path: Path) -> Iterator[Chunk]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        names = next(reader, [])
        yield names, 1, []
        line = reader.line_num + 1
        while lines := list(islice(file, CHUNK)):
            if (columns := _plain(lines, len(names))) is None:
                yield from _quoted(names, line, chain(lines, file))
            else:
                yield names, line, columns
            line += len(lines)


def _plain(lines: list[str], width: int) -> Columns | None:
    """The columns of lines without quotes, three times as fast as by the csv module; None for any others."""
    text = "".join(lines)
    if '"' in text or "\r" in text or not text.endswith("\n"):
        return None
    values = text.replace("\n", ",\n,").split(",")
    ends = values[width :: width + 1]
    if len(values) != len(lines) * (width + 1) + 1 or ends.count("\n") != len(lines):
        return None
    return Columns(values[at : -1 : width + 1] for at in range(width))


def _quoted(names: list[str], line: int, lines: Iterator[str]) -> Iterator[Chunk]:
    """All the lines left, by the csv module; the first of them is number `line` of the file."""
    reader, before = csv.reader(lines, strict=True), line - 1
    while rows := list(islice(reader, CHUNK)):
        if before + reader.line_num + 1 - line == len(rows):
            yield names, line, rows
        else:
            yield from _with_line_breaks(names, line, rows)
        line = before + reader.line_num + 1


def _with_line_breaks(names: list[str], line: int, rows: Sequence[Row]) -> Iterator[Chunk]:
    """The rows one by one, where some of them take several lines."""
    for row in rows:
        yield names, line, [row]
        line += 1 + sum(value.count("\n") for value in row)


def _jsonl(path: Path) -> Iterator[Chunk]:
    with path.open(encoding="utf-8") as file:
        numbered = enumerate(file, start=1)
        names: list[str] = []
        while lines := list(islice(numbered, CHUNK)):
            objects = [_object(path, number, text) for number, text in lines]
            names = names or list(objects[0])
            for (number, _), found in zip(lines, objects, strict=True):
                if missing := [name for name in names if name not in found]:
                    raise VoteFileError(f"{path}, line {number}: {missing[0]!r} is missing")
            yield names, lines[0][0], [tuple(_text(found[name]) for name in names) for found in objects]
        if not names:
            yield list(COLUMNS), 1, []


def _object(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise VoteFileError(f"{path}, line {number}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise VoteFileError(f"{path}, line {number}: expected an object with {', '.join(COLUMNS)}")
    return found


def _text(value: object) -> str:
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else str(value)


def _parquet(path: Path) -> Iterator[Chunk]:
    parquet = _pyarrow("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except _pyarrow("pyarrow").ArrowInvalid as error:
        raise VoteFileError(f"{path}: not a Parquet file: {error}") from error
    names = file.schema_arrow.names
    yield names, 1, []
    line = 1
    for batch in file.iter_batches(CHUNK):
        yield names, line, Columns([_moment(value) for value in column.to_pylist()] for column in batch.columns)
        line += batch.num_rows


def _moment(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else _text(value)


def _pyarrow(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise VoteFileError("Parquet needs pyarrow: pip install 'illustration-arena[parquet]', or use .csv") from None
