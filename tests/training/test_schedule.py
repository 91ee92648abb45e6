import math
from collections import Counter

import pytest

from training.schedule import Timeline, batch_rows, cosine
from training.train_config import ScheduleConfig


def test_cosine_at_its_quarters() -> None:
    assert [cosine(step, 100) for step in (0, 50, 100)] == pytest.approx([1.0, 0.5, 0.0])
    assert cosine(25, 100) == pytest.approx((1 + 2**-0.5) / 2)


def test_warmup_rises_linearly_and_the_cosine_starts_at_its_end() -> None:
    assert [cosine(step, 100, warmup=4) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert cosine(52, 100, warmup=4) == pytest.approx(0.5)


def test_every_image_once_in_each_pass_whatever_the_batch() -> None:
    rows, batch = 10, 4
    plan = [item for step in range(5) for item in batch_rows(7, step, batch, rows)]  # 20 images: two passes
    assert Counter(plan) == Counter((turn, row) for turn in range(2) for row in range(rows))


def test_passes_are_ordered_differently_and_depend_on_the_seed() -> None:
    first, second = batch_rows(7, 0, 10, 10), batch_rows(7, 1, 10, 10)
    assert [row for _, row in first] != [row for _, row in second]
    assert first != batch_rows(8, 0, 10, 10)


def test_a_batch_may_be_larger_than_the_data() -> None:
    assert Counter(row for _, row in batch_rows(0, 0, 6, 2)) == {0: 3, 1: 3}


def timeline(epochs: int, batch: int, pictures: int, **settings: object) -> Timeline:
    return Timeline(ScheduleConfig(**settings), epochs, batch, lambda size: -(-pictures // size))  # type: ignore[arg-type]


def test_the_runs_cosine_at_its_quarters() -> None:
    run = timeline(4, 10, 100)
    assert run.steps == 40
    assert [run.factor(step) for step in (0, 10, 20)] == pytest.approx([1, (1 + 2**-0.5) / 2, 0.5])
    assert [run.factor(40), timeline(4, 10, 100, least=0.1).factor(40)] == pytest.approx([0, 0.1], abs=1e-12)
    assert timeline(4, 10, 100, kind="constant").factor(39) == 1


@pytest.mark.parametrize("warmup", [0, 3])
def test_with_one_batch_size_epochs_count_as_steps_do(warmup: int) -> None:
    run = timeline(3, 7, 50, warmup=warmup)
    assert [run.factor(step) for step in range(run.steps)] == pytest.approx(
        [cosine(step, run.steps, warmup) for step in range(run.steps)]
    )


def test_restarts_begin_anew_after_one_two_and_four_epochs() -> None:
    run = timeline(7, 1, 4, kind="restarts", cycle=1, cycle_growth=2)
    tops = [step for step in range(run.steps) if run.factor(step) == pytest.approx(1)]
    assert tops == [0, 4, 12]  # epochs 0, 1 and 3
    assert [run.factor(step) for step in (2, 8, 20)] == pytest.approx([0.5, 0.5, 0.5])


def test_the_adaptive_batch_by_hand() -> None:
    """64 pictures; batch 8 doubles at epochs 1 and 3: steps 8, 4, 4, 2; rates 1, .75, .75, .5625 times the cosine's."""
    run = timeline(4, 8, 64, milestones=(1, 3))
    assert [run.batch(epoch) for epoch in range(4)] == [8, 16, 16, 32]
    assert [run.length(epoch) for epoch in range(4)] == [8, 4, 4, 2]
    table = {  # step: samples before it, epochs before it, alpha^milestones
        0: (0, 0.0, 1.0), 4: (32, 0.5, 1.0), 8: (64, 1.0, 0.75), 10: (96, 1.5, 0.75), 16: (192, 3.0, 0.5625),
        17: (224, 3.5, 0.5625),
    }  # fmt: skip
    for step, (samples, epochs, alpha) in table.items():
        assert run.progress(step) == epochs == samples / 64
        assert run.factor(step) == pytest.approx(alpha * (1 + math.cos(math.pi * epochs / 4)) / 2)
    constant = timeline(4, 8, 64, milestones=(1, 3), kind="constant")
    assert [constant.factor(step) * 1e-3 for step in (7, 8, 15, 16)] == pytest.approx(
        [1e-3, 0.75e-3, 0.75e-3, 0.5625e-3]
    )
    # A sample's own weight falls by alpha / beta = 0.375, as a rate of 0.375 would at the fixed batch.
    assert constant.factor(8) / run.batch(1) / (constant.factor(7) / run.batch(0)) == pytest.approx(0.375)


def test_places_tell_epochs_and_the_end() -> None:
    run = timeline(2, 8, 20, milestones=(1,))  # 3 steps, then 2
    assert [run.place(step) for step in range(run.steps + 1)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
