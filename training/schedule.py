"""Learning rates and the order of the data as pure functions of the step."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from training.rng import stream
from training.train_config import ScheduleConfig


def cosine(step: int, steps: int, warmup: int = 0) -> float:
    """Factor of the peak rate at ``step``: linear warm-up, then one half cosine to zero."""
    return (step + 1) / warmup if step < warmup else annealed((step - warmup) / max(1, steps - warmup))


def annealed(share: float, least: float = 0.0) -> float:
    """Factor of the rate after ``share`` of a cycle (arXiv:1608.03983, equation 5): from 1 down to ``least``."""
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


class Timeline:
    """What every step of a run is: its epoch, its batch and the factor of its rates, known before the run begins."""

    def __init__(self, config: ScheduleConfig, epochs: int, batch: int, steps_of: Callable[[int], int]) -> None:
        """``steps_of(batch)``: steps of an epoch with batches of this size."""
        self.config, self.epochs = config, epochs
        self._batches = [batch * config.batch_growth ** self._passed(epoch) for epoch in range(epochs)]
        self._ends = list(accumulate(steps_of(size) for size in self._batches))
        self._cosine_from = self.progress(min(config.warmup, self.steps))

    def _passed(self, epoch: int) -> int:
        return bisect_right(self.config.milestones, epoch)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self._ends[-1]

    def place(self, step: int) -> tuple[int, int]:
        """Epoch, and step within it, of a step of the run; all counted from 0. The run's end is ``(epochs, 0)``."""
        epoch = bisect_right(self._ends, step)
        return epoch, step - (self._ends[epoch - 1] if epoch else 0)

    def batch(self, epoch: int) -> int:
        """Samples of a step of this epoch."""
        return self._batches[epoch]

    def length(self, epoch: int) -> int:
        """Steps of this epoch."""
        return self._ends[epoch] - (self._ends[epoch - 1] if epoch else 0)

    def progress(self, step: int) -> float:
        """Epochs that are done before ``step``, with the part of the present one: what SGDR calls T."""
        epoch, within = self.place(step)
        return float(self.epochs) if epoch == self.epochs else epoch + within / self.length(epoch)

    def factor(self, step: int) -> float:
        """Factor of the peak rates at ``step``: warm-up, then cosine, restarts or 1; times alpha for each milestone."""
        growth = self.config.lr_factor ** self._passed(self.place(step)[0])
        if step < self.config.warmup:
            return growth * (step + 1) / self.config.warmup
        return growth * self._annealed(self.progress(step) - self._cosine_from)

    def _annealed(self, passed: float) -> float:
        """The factor ``passed`` epochs after the warm-up."""
        if self.config.kind == "constant":
            return 1.0
        if self.config.kind == "cosine":
            return annealed(passed / (self.epochs - self._cosine_from), self.config.least)
        length = self.config.cycle
        while passed >= length:
            passed, length = passed - length, length * self.config.cycle_growth
        return annealed(passed / length, self.config.least)


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
