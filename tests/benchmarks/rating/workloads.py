"""The votes that every entrant of a race gets: 20 contestants, made from a fixed seed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CONTESTANTS = 20
DRAWS = 0.072
DAYS = 100
LEFT, RIGHT, DRAW = range(3)
Arrays = dict[str, NDArray[np.generic]]


def duels(count: int) -> Arrays:
    """`left`, `right` (count,) contestants, `outcome` (count,) 0 left, 1 right, 2 draw, `day` (count,) ascending."""
    rng = np.random.default_rng(1)
    strengths = rng.normal(0.0, 1.0, CONTESTANTS)
    left = rng.integers(CONTESTANTS, size=count)
    right = (left + rng.integers(1, CONTESTANTS, size=count)) % CONTESTANTS
    wins = rng.random(count) < 1.0 / (1.0 + np.exp(strengths[right] - strengths[left]))
    outcome = np.where(rng.random(count) < DRAWS, DRAW, np.where(wins, LEFT, RIGHT))
    return {"left": left, "right": right, "outcome": outcome, "day": np.arange(count) * DAYS // max(count, 1)}


def rankings(count: int, ties: float) -> Arrays:
    """`seats` (count, 4) contestants and `ranks` (count, 4), 0 the best; neighbours tie with probability `ties`."""
    rng = np.random.default_rng(2)
    strengths = rng.normal(0.0, 1.0, CONTESTANTS)
    seats = np.argsort(rng.random((count, CONTESTANTS)), axis=1)[:, :4]
    order = np.argsort(-(strengths[seats] + rng.gumbel(size=seats.shape)), axis=1)
    steps = np.concatenate([np.zeros((count, 1), np.int64), rng.random((count, 3)) >= ties], axis=1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.cumsum(steps, axis=1), axis=1)
    return {"seats": seats, "ranks": ranks}


def save(folder: Path, name: str, arrays: Arrays) -> Path:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return path
