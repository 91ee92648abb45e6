"""Running loss and speed of a run in this process, for those who watch."""

from __future__ import annotations

import time

from training.engine import StepResult

REPORT_SECONDS = 5.0
RECENT = 100  # steps whose mean loss is shown


class Meter:
    """Losses of the last steps; images per second and share of time waiting for data since the last look."""

    def __init__(self) -> None:
        self.loss: float | None = None
        self.raw_loss: float | None = None
        self.images_per_s: float | None = None
        self.data_wait: float | None = None
        self._batch = 1
        self._losses: list[tuple[float, float]] = []
        self._start, self._images, self._waited = time.monotonic(), 0, 0.0

    def add(self, result: StepResult, waited: float) -> None:
        """Take in one finished step and the seconds that it waited for its data."""
        self._losses = [*self._losses[1 - RECENT :], (result.loss, result.raw_loss)]
        self._batch = result.images
        self._images += result.images
        self._waited += waited

    def due(self) -> bool:
        """Whether it is time for a report; if so, the numbers are as of now."""
        seconds = time.monotonic() - self._start
        if seconds < REPORT_SECONDS or not self._losses:
            return False
        self.loss, self.raw_loss = (sum(part) / len(part) for part in zip(*self._losses, strict=True))
        self.images_per_s = self._images / seconds
        self.data_wait = self._waited / seconds
        self._start, self._images, self._waited = time.monotonic(), 0, 0.0
        return True

    def eta(self, steps: int) -> float | None:
        """Seconds for ``steps`` more steps at the present speed and batch."""
        return None if not self.images_per_s else steps * self._batch / self.images_per_s
