"""Posts in Parquet: row groups in, records out, and back. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from training.errors import UserError
from training.parts import Record, filled
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
    """One row group of a Parquet file with Danbooru's columns."""

    file: Path
    group: int

    def __str__(self) -> str:
        return f"{self.file} row group {self.group}"

    def records(self) -> Iterator[Record]:
        """One record a row; empty cells are left out. Raises UserError where the group cannot be read."""
        row = 0
        try:
            for batch in pyarrow.parquet.ParquetFile(self.file).iter_batches(BATCH, row_groups=[self.group]):
                for record in batch.to_pylist():
                    yield f"{self} row {row}", filled(record)
                    row += 1
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{self} cannot be read: {error}") from error


def row_groups(file: Path) -> list[ParquetRows]:
    """The row groups of a file. Raises UserError where it is none."""
    try:
        count = pyarrow.parquet.ParquetFile(file).num_row_groups
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{file} is no readable Parquet file: {error}") from error
    return [ParquetRows(file, group) for group in range(count)]


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
