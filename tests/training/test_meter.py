"""Speed by hand."""

import pytest

from training import meter
from training.engine import StepResult
from training.meter import Meter

TENTHS = ((4, 1.0), *[(0, 0.0)] * 9)
RESULT = StepResult(1, 4, (64, 128), 0.5, 0.25, 1e-3, 1e-3, 1.0, TENTHS)


def work(height: int, width: int) -> float:
    """1 TFLOP for each 64 x 64 pixels."""
    return height * width / 64**2


def test_a_step_of_two_seconds_that_waited_half_a_second() -> None:
    # 4 images of 2 TFLOP in 2 s are 4 TFLOP/s of 40.
    spent = {"wall_s": 2.0, "cpu_s": 1.0, "wait_s": 0.5}
    found = Meter(work, peak_tflops=40.0).add(RESULT, spent)
    assert found == {**spent, "images_per_s": 2.0, "data_wait": 0.25, "mfu": 0.1}


def test_without_a_peak_the_work_is_not_even_counted() -> None:
    def never(height: int, width: int) -> float:
        raise AssertionError

    assert Meter(never, None).add(RESULT, {"wall_s": 1.0, "wait_s": 0.0})["mfu"] is None


def test_a_report_is_due_after_five_seconds_and_tells_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    watched = Meter(work, peak_tflops=40.0)
    assert (watched.due(), watched.eta(100)) == (False, None)
    for loss in (1.0, 2.0):
        now[0] += 2.5
        watched.add(StepResult(1, 5, (64, 64), loss, loss / 2, 0.0, 0.0, 0.0, ()), {"wall_s": 2.0, "wait_s": 0.5})
    assert watched.due()
    assert (watched.loss, watched.raw_loss, watched.images_per_s, watched.data_wait) == (1.5, 0.75, 2.0, 0.2)
    assert watched.mfu == pytest.approx(10 / 5 / 40)
    assert watched.eta(100) == 250.0  # 100 steps of 5 images at 2 a second
    assert not watched.due()
