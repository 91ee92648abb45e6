from collections import Counter

import pytest

from training.schedule import batch_rows, cosine


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
