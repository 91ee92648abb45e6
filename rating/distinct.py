"""Equal votes and equal stages, counted once with their number: what makes batch fits fast."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.votes import Votes


def distinct(columns: Sequence[NDArray[np.intp]], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the distinct rows of columns (R,) with values in [0, size), in lexicographic order.

    Returns the number of each row (R,) and a row for each number.
    """
    return _numbered(*_joined([(column, size) for column in columns]))


def distinct_duels(
    votes: Votes, counted: NDArray[np.bool_], weights: NDArray[np.float64] | None
) -> tuple[Votes, NDArray[np.float64]]:
    """The counted votes with equal duels merged, and the weight of each: the sum of those merged, 1 for each without
    `weights` (N,). The seats keep their order. Names stay; voters, prompts, times and ids are those of any one.
    """
    places, merged = equal_duels(votes, counted, weights)
    bare = replace(votes, ids=(), extra={})
    # Rankings alone stay as they are.
    return bare if np.array_equal(places, np.arange(len(votes))) else bare.take(places), merged


def equal_duels(
    votes: Votes,
    counted: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    within: Sequence[NDArray[np.intp]] = (),
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """(M,) a place of each distinct duel, then those of the other counted votes, and (M,) their weights, added up.

    Duels are merged where they have the same codes, each (N,) from 0, `within`.
    """
    if not counted.any():
        return np.empty(0, np.intp), np.empty(0)
    duel = counted & (votes.seats[:, 2] < 0) if votes.seats.shape[1] > 2 else counted
    rows = np.flatnonzero(duel)
    part = slice(None) if len(rows) == len(votes) else rows  # a view where nothing is left out
    n = len(votes.contestants)
    space = len(votes.polls) * n * n * 3
    narrow: type[np.signedinteger[Any]] = np.int32 if space < 2**31 else np.intp
    key: NDArray[np.signedinteger[Any]] = votes.poll[part].astype(narrow)
    (left, right), (one, other) = votes.seats[part, :2].T, votes.ranks[part, :2].T
    for size, code in ((n, left), (n, right), (3, (one > other).view(np.int8) + (one >= other))):
        key *= size
        key += code
    columns = [(key.astype(np.intp), space), *((codes[part], int(codes.max()) + 1) for codes in within)]
    merged, example = _counted(*_joined(columns), None if weights is None else weights[part])
    others = np.flatnonzero(counted & ~duel)
    rest = np.ones(len(others)) if weights is None else weights[others]
    return np.concatenate([rows[example], others]), np.concatenate([merged, rest])


def _counted(
    key: NDArray[np.intp], space: int, weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Of the distinct keys in [0, space), in their order: the sum of their weights, and a place of each."""
    if space > 4 * len(key) + 4096:
        number, example = _numbered(key, space)
        return np.bincount(number, weights, len(example)).astype(np.float64), example
    example = np.full(space, -1, np.intp)
    example[key] = np.arange(len(key))
    taken = np.flatnonzero(example >= 0)
    return np.bincount(key, weights, space)[taken].astype(np.float64), example[taken]


def _joined(columns: Sequence[tuple[NDArray[np.intp], int]]) -> tuple[NDArray[np.intp], int]:
    """One key (R,) for each row of columns (values, size), values in [0, size), and how many keys there may be."""
    key, space = columns[0]
    for column, size in columns[1:]:
        if space * size >= 2**62:
            key, example = _numbered(key, space)
            space = len(example)
        key = key * size + column
        space *= size
    return key, space


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
