"""Embeddings that are kept: by image, net and preprocess version, in one SQLite file that processes may share."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rating.ccip.errors import CacheError
from rating.ccip.features import Vectors

SCHEMA = """
create table if not exists embedding
    (image text, net text, preprocess text, vector blob not null, primary key (image, net, preprocess)) without rowid;
create table if not exists contract (identity text primary key, found text not null) without rowid;
"""
WAIT_SECONDS = 30.0


class EmbeddingCache:
    """Keeps float32 vectors to the bit, and what was found of the nets; without a path in memory.

    Opened at each use, so it may be handed over a fork and to other threads. Raises CacheError.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self._memory: dict[tuple[str, str, str], Vectors] = {}
        self._contracts: dict[str, dict[str, Any]] = {}

    def read(self, images: Sequence[str], net: str, preprocess: str) -> dict[str, Vectors]:
        """Those of the images (SHA-256) that are known, each (dim,)."""
        if self.path is None:
            keys = {image: (image, net, preprocess) for image in images}
            return {image: self._memory[key] for image, key in keys.items() if key in self._memory}
        query = "select vector from embedding where image = ? and net = ? and preprocess = ?"
        with _Opened(self.path) as database:
            found = {image: database.execute(query, (image, net, preprocess)).fetchone() for image in images}
        return {image: np.frombuffer(row[0], np.float32) for image, row in found.items() if row}

    def write(self, vectors: Mapping[str, Vectors], net: str, preprocess: str) -> None:
        """Keep the vectors of images (SHA-256), all or none."""
        if self.path is None:
            self._memory.update({(image, net, preprocess): vector for image, vector in vectors.items()})
            return
        rows = [(image, net, preprocess, vector.astype(np.float32).tobytes()) for image, vector in vectors.items()]
        self._write("insert or replace into embedding values (?, ?, ?, ?)", rows)

    def contract(self, identity: str) -> dict[str, Any] | None:
        """What was found of an encoder's nets before, or None."""
        if self.path is None:
            return self._contracts.get(identity)
        with _Opened(self.path) as database:
            row = database.execute("select found from contract where identity = ?", (identity,)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def write_contract(self, identity: str, found: dict[str, Any]) -> None:
        """Keep what was found of an encoder's nets."""
        if self.path is None:
            self._contracts[identity] = found
            return
        self._write("insert or replace into contract values (?, ?)", [(identity, json.dumps(found))])

    def _write(self, command: str, rows: Iterable[tuple[object, ...]]) -> None:
        assert self.path is not None
        with _Opened(self.path) as database, database:
            database.executemany(command, rows)


class _Opened:
    """A connection for the time of a `with`; SQLite's errors become a CacheError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.database = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
        except (sqlite3.Error, OSError) as error:
            raise self._named(error) from error
        try:
            self.database.executescript(SCHEMA)
        except sqlite3.Error as error:
            self.database.close()
            raise self._named(error) from error
        return self.database

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.database.close()
        if isinstance(error, sqlite3.Error):
            raise self._named(error) from error

    def _named(self, error: Exception) -> CacheError:
        return CacheError(f"the embedding cache {self.path} cannot be used ({error}); delete it or name another")
