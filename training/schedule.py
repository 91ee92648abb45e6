"""Learning rates and the order of the data as pure functions of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from training.rng import stream


def cosine(step: int, steps: int, warmup: int = 0) -> float:
    """Factor of the peak rate at ``step``: linear warm-up, then one half cosine to zero (SGDR without restarts).

    ``cosine(0, T) = 1``, ``cosine(T/2, T) = 1/2``, ``cosine(T, T) = 0`` without warm-up (arXiv:1608.03983, eq. 5).
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def batch_rows(seed: int, step: int, batch: int, rows: int) -> list[tuple[int, int]]:
    """(pass, row) of every image in the batch of ``step``: each pass over the data is one permutation.

    A pure function, so that a resumed run sees the very same batches; the last images of a pass and the first
    of the next may share a batch, so none is dropped or repeated.
    """
    first = step * batch
    order: dict[int, Sequence[int]] = {}
    plan = []
    for place in range(first, first + batch):
        turn, position = divmod(place, rows)
        if turn not in order:
            order[turn] = permutation(seed, turn, rows)
        plan.append((turn, order[turn][position]))
    return plan


def permutation(seed: int, turn: int, rows: int) -> list[int]:
    """The order of pass ``turn`` over ``rows`` images."""
    order = list(range(rows))
    stream(seed, "order", turn).shuffle(order)
    return order
