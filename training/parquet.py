"""Posts in Parquet: row groups in, records out, and back. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from training.errors import UserError
from training.parts import BadRecord, Record, bad_record, filled
from training.posts import CATEGORIES

BATCH = 1024
GROUP = 20_000
_WHOLE = ("id", "score", "fav_count", "image_width", "image_height", "shard_offset", "shard_bytes")
_TEXT = ("rating", "file_ext", "md5", "file_path", "source", "quality", "register", "shard")
SCHEMA = pyarrow.schema(
    [
        *((name, pyarrow.int64()) for name in _WHOLE),
        ("created_at", pyarrow.string()),
        *((name, pyarrow.string()) for name in _TEXT),
        *((f"tag_string_{name}", pyarrow.string()) for name in CATEGORIES),
        ("texts", pyarrow.list_(pyarrow.string())),
        ("synthetic", pyarrow.bool_()),
    ]
)


@dataclass(frozen=True)
class ParquetRows:
    """Rows ``first`` to ``last``, that one not included, of a row group of a Parquet file with Danbooru's columns."""

    file: Path
    group: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file} row group {self.group} from row {self.first} on"

    def records(self) -> Iterator[Record]:
        """One record a row; empty cells are left out. Raises UserError where the group cannot be read."""
        start = 0
        try:
            for batch in pyarrow.parquet.ParquetFile(self.file).iter_batches(BATCH, row_groups=[self.group]):
                low, high = max(self.first - start, 0), min(self.last - start, len(batch))
                for row, record in enumerate(_decoded(batch.slice(low, high - low)) if low < high else (), start + low):
                    yield f"{self.file} row group {self.group} row {row}", record
                start += len(batch)
                if start >= self.last:
                    return
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{self} cannot be read: {error}") from error


def _decoded(batch: Any) -> list[dict[str, Any] | BadRecord]:
    """The rows as records; pyarrow looks at a text's bytes only now, and those of one row must not end the others."""
    try:
        return list(map(filled, batch.to_pylist()))
    except UnicodeDecodeError:
        if len(batch) > 1:
            return [record for row in range(len(batch)) for record in _decoded(batch.slice(row, 1))]
        number = batch.column("id")[0].as_py() if "id" in batch.schema.names else None
        return [bad_record(number, "a text of it is not UTF-8: save it as UTF-8")]


def row_ranges(file: Path, rows: int) -> list[ParquetRows]:
    """The row groups of a file, cut into ranges of at most ``rows``. Raises UserError where it is none."""
    try:
        found = pyarrow.parquet.ParquetFile(file).metadata
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{file} is no readable Parquet file: {error}") from error
    counts = [found.row_group(group).num_rows for group in range(found.num_row_groups)]
    return [
        ParquetRows(file, group, first, min(first + rows, count))
        for group, count in enumerate(counts)
        for first in range(0, count, rows)
    ]


def write_rows(file: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write records of `training.posts.to_record`, a row group at a time; returns how many."""
    count = 0
    with pyarrow.parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        group: list[Mapping[str, Any]] = []
        for record in records:
            group.append(record)
            if len(group) == GROUP:
                writer.write_table(pyarrow.Table.from_pylist(group, SCHEMA))
                count, group = count + len(group), []
        if group:
            writer.write_table(pyarrow.Table.from_pylist(group, SCHEMA))
    return count + len(group)
