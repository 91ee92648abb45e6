"""Writes rows of text as CSV, JSONL or Parquet, piece by piece: what is written need never be in memory at once."""

import csv
import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from types import ModuleType

from rating.errors import VoteFileError

Row = Sequence[str]


def encoded(form: str, names: Sequence[str], pieces: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """The bytes of a file with these columns, at least one piece of them for every piece of rows.

    `form` is one of FORMATS. A piece becomes a row group of Parquet: some thousands of rows are right.
    Raises VoteFileError at once where Parquet is asked for and pyarrow is not installed.
    """
    return FORMATS[form](names, pieces)


def _csv(names: Sequence[str], pieces: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    yield _lines([names])
    for rows in pieces:
        yield _lines(rows)


def _lines(rows: Iterable[Row]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _jsonl(names: Sequence[str], pieces: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    for rows in pieces:
        objects = (dict(zip(names, row, strict=True)) for row in rows)
        yield "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode()


def _parquet(names: Sequence[str], pieces: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    return _row_groups(pyarrow("pyarrow"), pyarrow("pyarrow.parquet"), names, pieces)


def _row_groups(
    arrow: ModuleType, parquet: ModuleType, names: Sequence[str], pieces: Iterable[Sequence[Row]]
) -> Iterator[bytes]:
    sink = Sink()
    schema = arrow.schema([(name, arrow.string()) for name in names])
    with parquet.ParquetWriter(sink, schema) as writer:
        for rows in pieces:
            columns = list(zip(*rows, strict=True)) or [()] * len(names)
            writer.write_table(arrow.table([arrow.array(column, arrow.string()) for column in columns], schema=schema))
            yield sink.taken()
    yield sink.taken()


class Sink(BytesIO):
    """A file that hands out what was written to it, and keeps count."""

    def __init__(self) -> None:
        super().__init__()
        self._before = 0

    def tell(self) -> int:
        """How many bytes were ever written."""
        return self._before + super().tell()

    def taken(self) -> bytes:
        """What was written since the last time."""
        content = self.getvalue()
        self._before += len(content)
        self.seek(0)
        self.truncate()
        return content

    def close(self) -> None:
        """Stays open: the end of the file is still to be taken."""


FORMATS: dict[str, Callable[[Sequence[str], Iterable[Sequence[Row]]], Iterator[bytes]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}


def pyarrow(module: str) -> ModuleType:
    """A module of pyarrow, or VoteFileError with the remedy."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise VoteFileError("Parquet needs pyarrow: pip install 'illustration-arena[parquet]', or use .csv") from None
