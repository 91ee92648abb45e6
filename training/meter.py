"""Running loss and speed of a run in this process (docs/throughput.md)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import fmean

from training.engine import StepResult

REPORT_SECONDS = 5.0
RECENT = 100  # steps whose mean loss is shown


class Meter:
    """Losses of the last steps, the U-Net's last rate; images per second, share of waiting and MFU since the last look.

    ``tflop`` is the work of one image of (height, width) pixels in 10^12 FLOPs, ``peak_tflops`` what all devices
    together can do in a second; where it is not known, MFU is None.
    """

    def __init__(self, tflop: Callable[[int, int], float], peak_tflops: float | None) -> None:
        self.loss: float | None = None
        self.raw_loss: float | None = None
        self.rate: float | None = None
        self.images_per_s: float | None = None
        self.data_wait: float | None = None
        self.mfu: float | None = None
        self._tflop, self._peak = tflop, peak_tflops
        self._batch = 1
        self._losses: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._begin()

    def _begin(self) -> None:
        self._start, self._images, self._waited, self._work = time.monotonic(), 0, 0.0, 0.0

    def add(self, result: StepResult, spent: Mapping[str, float]) -> dict[str, float | None]:
        """Take in one finished step, its ``wall_s`` and the seconds ``wait_s`` of them that it waited for its data.

        Returns ``spent`` with the step's own images per second, share of waiting and MFU.
        """
        work = result.images * self._tflop(*result.size) if self._peak else 0.0
        self._losses.append((result.loss, result.raw_loss))
        self._batch, self.rate = result.images, result.unet_lr
        self._images += result.images
        self._waited += spent["wait_s"]
        self._work += work
        return {**spent, **rates(spent["wall_s"], result.images, spent["wait_s"], self._mfu(work, spent["wall_s"]))}

    def _mfu(self, work: float, seconds: float) -> float | None:
        return work / max(seconds, 1e-9) / self._peak if self._peak else None

    def due(self) -> bool:
        """Whether it is time for a report; if so, the numbers are as of now."""
        seconds = time.monotonic() - self._start
        if seconds < REPORT_SECONDS or not self._losses:
            return False
        self.loss, self.raw_loss = (fmean(part) for part in zip(*self._losses, strict=True))
        self.images_per_s, self.data_wait = self._images / seconds, self._waited / seconds
        self.mfu = self._mfu(self._work, seconds)
        self._begin()
        return True

    def eta(self, steps: int) -> float | None:
        """Seconds for ``steps`` more steps at the present speed and batch."""
        return None if not self.images_per_s else steps * self._batch / self.images_per_s


def rates(wall_s: float, images: int, wait_s: float, mfu: float | None) -> dict[str, float | None]:
    """What the log says of speed, to four digits: shares lie between 0 and 1."""
    seconds = max(wall_s, 1e-9)
    found = {"images_per_s": images / seconds, "data_wait": min(1.0, wait_s / seconds), "mfu": mfu}
    return {name: None if value is None else float(f"{value:.4g}") for name, value in found.items()}
