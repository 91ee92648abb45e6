"""Agreement of two measures against scipy and by hand; its intervals in a simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from rating.agreement import FEWEST, agreement, disagreements
from rating.errors import RatingError

SEEDS = range(6)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ties", [False, True])
def test_correlations_are_those_of_scipy(seed: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    people, metric = generator.standard_normal((2, 17))
    if ties:
        people, metric = np.round(people), np.round(metric)
    found = agreement(people, metric, rng=rng())
    assert found.kendall is not None
    assert found.spearman is not None
    assert found.kendall.value == pytest.approx(stats.kendalltau(people, metric).statistic, abs=1e-12)
    assert found.spearman.value == pytest.approx(stats.spearmanr(people, metric).statistic, abs=1e-12)


def test_a_weighted_sum_is_the_statistic_of_the_resample() -> None:
    """The bootstrap's distribution is the one of resampling by hand, with scipy on each sample."""
    people, metric = np.random.default_rng(3).standard_normal((2, 10)) + np.linspace(0, 3, 10)
    found = agreement(people, metric, resamples=400, rng=np.random.default_rng(9))
    weights = np.random.default_rng(9).multinomial(10, np.full(10, 0.1), 400)
    places = [np.repeat(np.arange(10), row) for row in weights]
    for measure, statistic in ((found.kendall, stats.kendalltau), (found.spearman, stats.spearmanr)):
        values = np.array([statistic(people[at], metric[at]).statistic for at in places])
        assert measure is not None
        assert (measure.low, measure.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)


def test_pairs_are_counted_by_hand() -> None:
    """Of the six pairs of four contestants one is tied by the metric, and one of the other five disagrees."""
    found = agreement(np.array([4.0, 3.0, 2.0, 1.0]), np.array([9.0, 5.0, 5.0, 6.0]), rng=rng())
    assert (found.contestants, found.pairs, found.agreeing, found.tied) == (4, 5, 3, 1)
    assert found.share is not None
    assert found.share.value == 3 / 5


def test_few_contestants_have_no_interval_and_one_has_nothing() -> None:
    line = np.arange(FEWEST - 1.0)
    found = agreement(line, line, rng=rng())
    assert found.kendall is not None
    assert (found.kendall.value, found.kendall.low) == (1.0, None)
    enough = agreement(np.arange(float(FEWEST)), np.arange(float(FEWEST)), rng=rng()).kendall
    assert enough is not None
    assert enough.low == enough.high == 1.0
    alone = agreement(np.ones(1), np.ones(1), rng=rng())
    assert (alone.pairs, alone.share, alone.kendall, alone.spearman) == (0, None, None, None)


def test_a_measure_that_is_the_same_for_all_correlates_with_nothing() -> None:
    found = agreement(np.arange(9.0), np.ones(9), rng=rng())
    assert (found.pairs, found.tied, found.kendall, found.spearman, found.share) == (0, 36, None, None, None)


@pytest.mark.parametrize("broken", [np.array([1.0, math.nan]), np.ones(3)])
def test_numbers_that_are_missing_are_refused(broken: np.ndarray) -> None:
    with pytest.raises(RatingError):
        agreement(np.ones(2), broken, rng=rng())


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_intervals_hold_the_truth(rho: float) -> None:
    """Kendall's tau of a bivariate normal is 2/pi asin rho; the share of agreeing pairs is (1 + tau) / 2."""
    generator, truth, held = np.random.default_rng(1), 2 / math.pi * math.asin(rho), 0
    for _ in range(200):
        shared, own = generator.standard_normal((2, 12))
        found = agreement(shared, rho * shared + math.sqrt(1 - rho**2) * own, resamples=500, rng=generator)
        assert found.kendall is not None
        assert found.kendall.low is not None
        assert found.kendall.high is not None
        held += found.kendall.low <= truth <= found.kendall.high
    assert held / 200 >= 0.91


def test_disagreements_are_ordered_by_sureness_then_strength() -> None:
    """By hand: people 3, 2, 1, 0 (sd 1.29), metric 0, 1, 3, 2 (sd 1.29): five pairs are the wrong way round."""
    people, metric = np.array([3.0, 2.0, 1.0, 0.0]), np.array([0.0, 1.0, 3.0, 2.0])
    error = np.full((4, 4), 1.5)
    found = disagreements(people, metric, error)
    assert [(one.better, one.worse, one.sure) for one in found] == [
        (0, 2, True), (0, 3, True), (1, 3, True), (0, 1, False), (1, 2, False),
    ]  # fmt: skip
    sd = math.sqrt(5 / 3)
    assert found[0].strength == pytest.approx(2 / sd)
    assert (found[1].people, found[1].metric) == pytest.approx((3 / sd, -2 / sd))


def test_an_unknown_error_is_never_sure() -> None:
    (found,) = disagreements(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.full((2, 2), math.nan))
    assert not found.sure
