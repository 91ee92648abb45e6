"""The arrays of a workload as the Votes that every engine takes."""

import numpy as np

from rating.simulation import named
from rating.votes import DRAW, PICK, RANKING, Votes
from tests.benchmarks.rating.workloads import CONTESTANTS, Arrays

DAY = 86400.0


def duels(arrays: Arrays, size: int) -> Votes:
    """The first `size` duels."""
    outcome = arrays["outcome"][:size]
    drawn = outcome == 2
    ranks = np.stack([outcome == 1, outcome == 0], axis=1).astype(np.int16)
    kinds = np.where(drawn, DRAW, PICK)
    seats = np.stack([arrays["left"][:size], arrays["right"][:size]], axis=1)
    return _votes(seats, ranks, kinds, arrays["day"][:size] * DAY)


def rankings(arrays: Arrays, size: int) -> Votes:
    """The first `size` rankings of four."""
    return _votes(arrays["seats"][:size], arrays["ranks"][:size], np.full(size, RANKING), np.arange(size) * DAY)


def _votes(seats, ranks, kinds, times) -> Votes:
    count = len(kinds)
    nobody = np.full(count, -1, np.int32)
    return Votes(
        contestants=named(CONTESTANTS),
        polls=("fixed",),
        prompts=(),
        voters=(),
        seats=np.ascontiguousarray(seats, np.int32),
        ranks=np.ascontiguousarray(ranks, np.int16),
        kinds=kinds.astype(np.int8),
        poll=np.zeros(count, np.int32),
        prompt=nobody,
        voter=nobody,
        times=times.astype(np.float64),
    )
