"""Equal votes and equal stages, counted once with their number: what makes batch fits fast."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rating.votes import Votes


def distinct(columns: Sequence[NDArray[np.intp]], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the distinct rows of columns (R,) with values in [0, size), in lexicographic order.

    Returns the number of each row (R,) and a row for each number.
    """
    key, space = columns[0], size
    for column in columns[1:]:
        if space * size >= 2**62:
            key, example = _numbered(key, space)
            space = len(example)
        key = key * size + column
        space *= size
    return _numbered(key, space)


def distinct_duels(
    votes: Votes, counted: NDArray[np.bool_], weights: NDArray[np.float64] | None
) -> tuple[Votes, NDArray[np.float64]]:
    """The counted votes with equal duels merged, and the weight of each: the sum of those merged, 1 for each without
    `weights` (N,). The seats keep their order. Names stay; voters, prompts, times and ids are those of any one.
    """
    if not counted.any():
        return replace(votes, ids=(), extra={}).take(counted), np.empty(0)
    duel = counted & (votes.seats[:, 2] < 0) if votes.seats.shape[1] > 2 else counted
    rows = np.flatnonzero(duel)
    n = len(votes.contestants)
    one, other = votes.ranks[rows, 0], votes.ranks[rows, 1]
    key = (votes.poll[rows].astype(np.intp) * n + votes.seats[rows, 0]) * n + votes.seats[rows, 1]
    key = key * 3 + (one > other) + (one >= other)
    number, example = _numbered(key, len(votes.polls) * n * n * 3)
    merged = np.bincount(number, None if weights is None else weights[rows], len(example))
    others = np.flatnonzero(counted & ~duel)
    kept = replace(votes, ids=(), extra={}).take(np.concatenate([rows[example], others]))
    rest = np.ones(len(others)) if weights is None else weights[others]
    return kept, np.concatenate([merged, rest])


def _numbered(key: NDArray[np.intp], space: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the distinct keys in [0, space) in their order: the number of each key, and a place of each number."""
    if space > 4 * len(key) + 4096:
        _, example, number = np.unique(key, return_index=True, return_inverse=True)
        return number, example
    example = np.full(space, -1, np.intp)
    example[key] = np.arange(len(key))
    taken = np.flatnonzero(example >= 0)
    place = np.empty(space, np.intp)
    place[taken] = np.arange(len(taken))
    return place[key], example[taken]
