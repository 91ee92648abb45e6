"""The names of many votes in few bytes: their text in one piece, and where each starts."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Ids(Sequence[str]):
    """N texts: 12 bytes each and those of the text itself, where a list of strings takes 60 and those of the text."""

    def __init__(self, text: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int32]) -> None:
        self._text, self._starts, self._lengths = text, starts, lengths

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Ids": ...
    def __getitem__(self, place: int | slice) -> "str | Ids":
        if isinstance(place, slice):
            return Ids(self._text, self._starts[place], self._lengths[place])
        start = int(self._starts[place])
        return self._text[start : start + int(self._lengths[place])].decode()

    def take(self, places: NDArray[np.intp]) -> "Ids":
        """The texts in these places, in that order; they share the bytes."""
        return Ids(self._text, self._starts[places], self._lengths[places])


class IdCollector:
    """Takes texts in pieces."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._lengths: list[NDArray[np.int32]] = []
        self._hashes: list[NDArray[np.int64]] = []

    def add(self, texts: Sequence[str]) -> None:
        """Take these texts after the earlier ones."""
        joined = "".join(texts)
        parts = texts if joined.isascii() else [text.encode() for text in texts]
        self._texts.append(joined.encode())
        self._lengths.append(np.fromiter(map(len, parts), np.int32, len(parts)))
        self._hashes.append(np.fromiter(map(hash, texts), np.int64, len(texts)))

    def ids(self) -> Ids:
        """All texts; the collector forgets them."""
        lengths = np.concatenate([np.empty(0, np.int32), *self._lengths])
        starts = np.cumsum(lengths, dtype=np.int64)
        starts -= lengths
        text = b"".join(self._texts)
        self._texts.clear()
        self._lengths.clear()
        return Ids(text, starts, lengths)

    def may_repeat(self) -> bool:
        """Whether two texts may be equal or one may be empty; if not, all differ for sure. Forgets what it compared."""
        hashes = np.concatenate([np.array([hash("")], np.int64), *self._hashes])
        self._hashes.clear()
        hashes.sort()
        return bool((hashes[1:] == hashes[:-1]).any())
