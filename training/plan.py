"""The batches of a whole run as a pure function: (seed, epoch, step) to posts, for any number of workers and ranks.

Every picture stands in one bucket (`training.buckets`), a batch holds pictures of one bucket, and an epoch is one
permutation of each bucket's pictures and one of all batches (docs/batch-plan.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.buckets import REMAINDERS
from training.rng import stream_key


@dataclass(frozen=True)
class Batch:
    """One optimiser step: a bucket's place and the rows of its pictures (posts' places in the data set)."""

    bucket: int
    rows: tuple[int, ...]


def cut(count: int, part: int, parts: int) -> slice:
    """Which of ``count`` samples belong to one of ``parts`` processes or micro-batches; all of them in order are all.

    Raises:
        ValueError: no such part.
    """
    if not 0 <= part < parts:
        raise ValueError(f"part must be from 0 to {parts - 1}, got {part}")
    return slice(part * count // parts, (part + 1) * count // parts)


class BatchPlan:
    """All batches of all epochs; holds no position, so any step may be asked for at any time."""

    def __init__(self, buckets: Sequence[Sequence[int]], batch: int, seed: int, remainder: str = "short") -> None:
        """``buckets``: the rows of each bucket's pictures, as `training.buckets.fill` gives them.

        ``remainder``: what happens to those left of a bucket after its whole batches:

        - ``short``: one smaller batch; every picture once an epoch.
        - ``wrap``: filled up with the first pictures of the bucket's permutation, which are trained twice this epoch.
        - ``drop``: left out of this epoch; others next time, as the permutation is another.

        Raises:
            ValueError: a batch below 1, an unknown remainder, or no picture at all.
        """
        if batch < 1 or remainder not in REMAINDERS:
            raise ValueError(f"batch must be at least 1 and remainder one of {', '.join(REMAINDERS)}")
        self.batch, self.seed, self.remainder = batch, seed, remainder
        self._buckets = {key: np.asarray(sorted(rows), np.int64) for key, rows in enumerate(buckets) if len(rows)}
        if not self._buckets:
            raise ValueError("there is no picture in any bucket")
        counts = [self._batches_of(len(rows)) for rows in self._buckets.values()]
        # Which bucket, and which of its batches, every batch of an epoch is before they are shuffled.
        self._of = np.repeat(np.arange(len(counts)), counts)
        self._within = np.concatenate([np.arange(count) for count in counts])
        self._order = lru_cache(2)(self._shuffled)

    def _batches_of(self, pictures: int) -> int:
        return pictures // self.batch if self.remainder == "drop" else -(-pictures // self.batch)

    @property
    def steps(self) -> int:
        """Batches in an epoch; 0 where every bucket is smaller than a batch and remainders are dropped."""
        return len(self._of)

    def at(self, epoch: int, step: int) -> Batch:
        """The batch of one step of an epoch, both counted from 0. Raises IndexError beyond the epoch's end."""
        if not 0 <= step < self.steps:
            raise IndexError(f"an epoch has {self.steps} steps, there is no step {step}")
        batches, rows = self._order(epoch)
        place = batches[step]
        key = int(self._of[place])
        first = int(self._within[place]) * self.batch
        own = rows[key]
        chosen = own[first : first + self.batch]
        if self.remainder == "wrap" and len(chosen) < self.batch:
            chosen = np.concatenate([chosen, np.resize(own, self.batch - len(chosen))])
        return Batch(list(self._buckets)[key], tuple(int(row) for row in chosen))

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """All batches of an epoch, in order."""
        return (self.at(epoch, step) for step in range(self.steps))

    def _shuffled(self, epoch: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """The order of the epoch's batches, and each bucket's pictures in its own order."""
        batches = _permutation(self.steps, self.seed, "batches", epoch)
        rows = [own[_permutation(len(own), self.seed, "bucket", key, epoch)] for key, own in self._buckets.items()]
        return batches, rows


def _permutation(count: int, seed: int, *path: int | str) -> NDArray[np.int64]:
    """A permutation of ``range(count)`` from a stream of its own (Philox, keyed by the path)."""
    generator = np.random.Generator(np.random.Philox(key=stream_key(seed, "plan", *path)))
    return generator.permutation(count)
