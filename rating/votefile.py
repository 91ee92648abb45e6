"""Reads and writes vote files: CSV, JSONL and Parquet (docs/vote-file.md)."""

import csv
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from rating.columns import COLUMNS, Collector, Columns, Row
from rating.errors import VoteFileError
from rating.outcomes import Outcome, format_outcome
from rating.votes import KINDS, Votes
from rating.writing import encoded, pyarrow

EXACT = 2**53  # integers below it are floats, each its own
CHUNK = 5_000  # rows that stay in the cache while their columns are taken
ENDINGS = (".csv", ".jsonl", ".parquet")
# (column names, the line of each row, rows or their columns); before the first row, the line of the names and no rows
Chunk = tuple[list[str], Sequence[int], Sequence[Row] | Columns]


def read_votes(path: Path, *, progress: Callable[[int], None] | None = None) -> Votes:
    """Read a vote file by its ending: .csv, .jsonl or .parquet. `progress` is called with the number of rows so far.

    Blank lines are skipped. Raises VoteFileError naming the file, the line and the remedy: for a missing column, a
    value that cannot be read, a vote on one seat, a contestant seated twice, a vote that occurs twice, or a time that
    is no moment.
    """
    return collected(path, chunks(path, COLUMNS), progress)


def chunks(path: Path, *forms: Sequence[str]) -> Iterator[Chunk]:
    """The rows of a file by its ending, a few thousand at a time; opened once, so that it may be a pipe.

    Whatever its columns; but JSONL must have those of the first of `forms` that its first object has, or of the last.
    """
    return _reader(path)(path, forms)


def collected(path: Path, pieces: Iterable[Chunk], progress: Callable[[int], None] | None = None) -> Votes:
    """The votes out of rows under the columns of a vote file. Raises VoteFileError as `read_votes` does."""
    collector = Collector(str(path))
    try:
        for names, lines, part in pieces:
            if isinstance(part, Columns):
                collector.add_columns(lines, part)
            else:
                collector.add(names, lines, part)
            if progress:
                progress(collector.count)
    except UnicodeDecodeError as error:
        raise VoteFileError(f"{path}{_undecoded(path)}: not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise VoteFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    return collector.votes()


def write_votes(path: Path, votes: Votes) -> None:
    """Write a vote file by its ending; `read_votes` reads the same votes back. It appears whole or not at all.

    Raises VoteFileError for another ending, or a folder that is not there.
    """
    _reader(path)
    if not path.parent.is_dir():
        raise VoteFileError(f"{path}: there is no folder {path.parent}; make it first")
    rows = _rows(votes)
    pieces = iter(lambda: list(islice(rows, CHUNK)), [])
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.writelines(encoded(path.suffix[1:].lower(), [*COLUMNS, *votes.extra], pieces))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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


def _reader(path: Path) -> Callable[[Path, Sequence[Sequence[str]]], Iterator[Chunk]]:
    readers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    try:
        return readers[path.suffix.lower()]
    except KeyError:
        raise VoteFileError(f"{path}: the ending must be {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}") from None


def _csv(path: Path, forms: Sequence[Sequence[str]]) -> Iterator[Chunk]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        first, names = next(_numbered(path, reader, 1), (1, []))
        yield names, [first], []
        line = reader.line_num + 1
        while lines := list(islice(file, CHUNK)):
            if (columns := _plain(lines, len(names))) is None:
                yield from _quoted(path, names, line, chain(lines, file))
            else:
                yield names, range(line, line + len(lines)), columns
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


def _quoted(path: Path, names: list[str], line: int, lines: Iterator[str]) -> Iterator[Chunk]:
    """All the lines left, by the csv module; the first of them is number `line` of the file."""
    numbered = _numbered(path, csv.reader(lines, strict=True), line)
    while rows := list(islice(numbered, CHUNK)):
        yield names, _lines_of(rows), [row for _, row in rows]


def _numbered(path: Path, reader: Any, first: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the line it starts on; the reader's first line is number `first`."""
    line = first
    try:
        for row in reader:
            if len(row) > 1 or any(map(str.strip, row)):
                yield line, row
            line = first + reader.line_num
    except csv.Error as error:
        raise VoteFileError(f"{path}, line {line}: {error}; is a quote not closed?") from error


def _lines_of(rows: Sequence[tuple[int, object]]) -> Sequence[int]:
    """The lines in few bytes: errors alone ask for them."""
    return array("q", (line for line, _ in rows))


def _jsonl(path: Path, forms: Sequence[Sequence[str]]) -> Iterator[Chunk]:
    with path.open(encoding="utf-8-sig") as file:
        numbered = ((number, text) for number, text in enumerate(file, start=1) if text.strip())
        first = list(islice(numbered, 1))
        needed = _form(first[0][1], forms) if first else forms[-1]
        names = list(needed)
        yield names, [1], []
        again = chain(first, numbered)
        while lines := list(islice(again, CHUNK)):
            objects = [_object(path, number, text, needed) for number, text in lines]
            # A key may appear late or stay away: what a vote does not have is empty.
            names = list(dict.fromkeys(chain(names, *objects)))
            yield names, _lines_of(lines), [[found.get(name, "") for name in names] for found in objects]


def _form(text: str, forms: Sequence[Sequence[str]]) -> Sequence[str]:
    """The columns that a file is to have whose first line this is; what is wrong with the line is said later."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return forms[-1]
    return next((form for form in forms if isinstance(found, dict) and set(form) <= set(found)), forms[-1])


def _object(path: Path, number: int, text: str, needed: Sequence[str]) -> dict[str, str]:
    """One line's texts by column, those that are needed at least."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VoteFileError(f"{path}, line {number}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise VoteFileError(f"{path}, line {number}: expected an object with {', '.join(needed)}")
    for name in needed:
        if name not in found:
            raise VoteFileError(f"{path}, line {number}: {name!r} is missing; needed: {', '.join(needed)}")
    if "\\u" in text and (wrong := _unwritable(found)):
        raise VoteFileError(f"{path}, line {number}: {wrong} holds half a character; write it whole")
    return {name: _text_at(path, number, name, value) for name, value in found.items()}


def _unwritable(found: dict[str, object]) -> str:
    """The escaped column whose name or value is no text that could be written, "" for none."""
    for name, value in found.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return ascii(name)
    return ""


def _text_at(path: Path, line: int, name: str, value: object) -> str:
    if name == "seats" and isinstance(value, list) and (wrong := [seat for seat in value if "|" in _text(seat)]):
        raise VoteFileError(f"{path}, line {line}: contestant {wrong[0]!r} has a | in its name, which joins names")
    return _text(value)


def _text(value: object) -> str:
    """A value of JSON or Parquet as a CSV would have it; an integer stays one where a column of floats holds it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "|".join(map(_text, value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if abs(value) < EXACT and value % 1 == 0 else repr(value)
    return "" if value is None else str(value)


def _undecoded(path: Path) -> str:
    """Where the first line that is not UTF-8 is: text is decoded in blocks, which know no lines. "" for a pipe."""
    if path.is_fifo():
        return ""
    with path.open("rb") as file:
        wrong = (number for number, line in enumerate(file, start=1) if line != line.decode(errors="ignore").encode())
        return f", line {next(wrong)}"


def _parquet(path: Path, forms: Sequence[Sequence[str]]) -> Iterator[Chunk]:
    if path.is_fifo():
        raise VoteFileError(f"{path}: Parquet, which is read from its end, cannot come through a pipe; save it first")
    parquet, invalid = pyarrow("pyarrow.parquet"), pyarrow("pyarrow").ArrowInvalid
    try:
        file = parquet.ParquetFile(path)
    except invalid as error:
        raise VoteFileError(f"{path}: not a Parquet file: {error}") from error
    names = file.schema_arrow.names
    yield names, [1], []
    line = 1
    for batch in file.iter_batches(CHUNK):
        values = zip(names, (_values(path, line, column) for column in batch.columns), strict=True)
        texts = Columns(
            [_text_at(path, line + at, name, one) for at, one in enumerate(column)] for name, column in values
        )
        yield names, range(line, line + batch.num_rows), texts
        line += batch.num_rows


def _values(path: Path, line: int, column: Any) -> list[object]:
    try:
        return list(column.to_pylist())
    except ValueError as error:  # text that is not UTF-8, nanoseconds
        raise VoteFileError(f"{path}: rows from {line} on cannot be read: {error}") from error
