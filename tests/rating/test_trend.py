"""Simultaneous intervals over the epochs of a run."""

import math

import numpy as np
import pytest
from scipy import stats

from rating.errors import RatingError
from rating.trend import trend

EQUAL = np.eye(4) * 0.5  # differences of sd 1


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_two_epochs_have_the_plain_interval() -> None:
    found = trend(np.array([1.0, 3.0]), np.eye(2) * 0.5, rng=rng(), draws=200_000)
    assert found.gain.tolist() == [0.0, 2.0]
    assert found.low.tolist() == pytest.approx([0.0, 2.0 - 1.96], abs=0.02)
    assert found.high[1] == pytest.approx(2.0 + 1.96, abs=0.02)
    assert found.p[1, 0] == pytest.approx(2 * stats.norm.sf(2.0), abs=0.003)


def test_all_pairs_have_tukeys_range_and_gains_dunnetts() -> None:
    """Independent epochs of equal error: the studentised range, and Dunnett's table as scipy integrates it."""
    found = trend(np.zeros(4), EQUAL, dof=20, rng=rng(), draws=100_000)
    assert found.most[1, 0] == pytest.approx(stats.studentized_range.ppf(0.95, 4, 20) / math.sqrt(2), rel=0.01)
    assert found.high[1] == pytest.approx(2.54, abs=0.03), "Dunnett 1964, two-sided, 3 treatments, 20 df"
    assert found.high[0] == found.low[0] == 0.0


def test_a_verdict_is_for_all_pairs_at_once() -> None:
    found = trend(np.array([0.0, 2.2, 4.0]), np.eye(3) * 0.5, rng=rng())
    assert found.verdict(2, 0) == "better"
    assert found.verdict(0, 2) == "worse"
    assert found.verdict(1, 0) == "undecided", "2.2 is beyond 1.96 for one pair, within 2.34 for three"
    assert (np.diag(found.p) == 1.0).all()
    assert found.p[2, 0] < 0.05 < found.p[1, 0]


def test_equal_epochs_are_rarely_told_apart() -> None:
    generator, wrong = np.random.default_rng(5), 0
    for _ in range(300):
        found = trend(generator.standard_normal(6) * math.sqrt(0.5), np.eye(6) * 0.5, rng=generator, draws=2000)
        wrong += bool((found.least > 0).any())
    assert wrong / 300 <= 0.08


@pytest.mark.parametrize("mean", [[1.0], [1.0, math.nan]])
def test_an_epoch_without_an_estimate_is_refused(mean: list[float]) -> None:
    with pytest.raises(RatingError):
        trend(np.array(mean), np.eye(len(mean)), rng=rng())
