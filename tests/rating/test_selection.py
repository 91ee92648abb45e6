"""The best of several epochs: published critical values, and the luck of the chosen one taken off."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rating.covariance import ClusteredCovariance
from rating.errors import RatingError, UnknownContestantError
from rating.joint import JointFit
from rating.selection import BestOf, best_of
from rating.simulation import named

Floats = NDArray[np.float64]


def estimates(values: Floats) -> JointFit:
    n = len(values)
    return JointFit(
        contestants=named(n),
        took_part=np.isfinite(values),
        parameters=named(n),
        estimate=values,
        information=np.eye(n),
        log_likelihood=0.0,
        iterations=1,
    )


def best(values: Floats, covariance: Floats, dof: float = math.inf, draws: int = 10_000) -> BestOf:
    """All but the last contestant against the last."""
    names = named(len(values))
    return best_of(
        estimates(values),
        ClusteredCovariance(covariance, dof),
        names[:-1],
        names[-1],
        rng=np.random.default_rng(1),
        draws=draws,
    )


@pytest.mark.parametrize(
    ("candidates", "dof", "two_sided", "one_sided"),
    [(1, math.inf, 1.96, 1.64), (3, math.inf, 2.35, 2.06), (5, math.inf, 2.51, 2.23), (3, 20.0, 2.54, 2.19)],
)
def test_published_critical_values(candidates: int, dof: float, two_sided: float, one_sided: float) -> None:
    # Dunnett's tables for 5 % and equal variances.
    found = best(np.zeros(candidates + 1), np.eye(candidates + 1), dof, draws=200_000)
    np.testing.assert_allclose((found.high - found.difference) / found.se, two_sided, atol=0.025)
    np.testing.assert_allclose((found.difference - found.at_least) / found.se, one_sided, atol=0.025)


def test_a_clear_winner_keeps_its_estimate() -> None:
    found = best(np.array([5.0, 1.0, 0.0, 0.0]), 0.02 * np.eye(4))
    assert found.chosen == 0
    assert found.difference.tolist() == [5.0, 1.0, 0.0]
    assert found.estimate == pytest.approx(5.0, abs=1e-3)
    # 95 % less what the box takes: 1.96 becomes 2.00 standard errors of 0.2.
    assert found.estimate_high - found.estimate == pytest.approx(2.0 * 0.2, abs=0.01)
    assert found.estimate - found.estimate_low == pytest.approx(2.0 * 0.2, abs=0.01)


def test_a_narrow_winner_is_taken_back() -> None:
    found = best(np.array([0.50, 0.45, 0.40, 0.45, 0.0]), 0.02 * np.eye(5))
    assert found.chosen == 0
    assert found.estimate < 0.45
    assert found.estimate_low < found.low[0]
    assert found.estimate_low < found.estimate < found.estimate_high
    # Never further down than the box of all differences, whatever the race was like.
    photo_finish = best(np.array([0.5 + 1e-9, 0.5, 0.5, 0.5, 0.0]), 0.02 * np.eye(5))
    assert photo_finish.estimate_low > 0.5 - 4.0 * 0.2


def test_at_all_times_every_candidate_has_its_share_of_the_error() -> None:
    covariance = np.diag([0.01, 0.02, 0.04, 0.0])
    found = best(np.array([0.9, 0.2, 0.1, 0.0]), covariance, dof=30.0)
    for at, se in enumerate([0.1, math.sqrt(0.02), 0.2]):
        # The boundary of docs/comparison.md at alpha = 5 % / 3 and normal votes, its tail then that of t.
        time = (0.4 / se) ** 2
        normal = math.sqrt((1 + 1 / time) * math.log((1 + time) / (0.05 / 3) ** 2))
        wider = stats.t.isf(stats.norm.sf(min(normal, 6.0)), 30.0) * normal / min(normal, 6.0)
        assert found.always_high[at] - found.difference[at] == pytest.approx(wider * se, rel=1e-6)
        assert found.difference[at] - found.always_low[at] == pytest.approx(wider * se, rel=1e-6)
    assert (found.always_low < found.low).all()
    assert found.always_low[0] > 0


def test_looking_again_and_again_seldom_crowns_one_of_equals() -> None:
    """Five equal candidates and a reference, 4,000 series, a look at each of 40 sizes of the log."""
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0, 0.5, (4_000, 40, 6))
    looks = np.arange(1, 41)
    estimates = steps.cumsum(axis=1) / looks[:, None]
    differences = np.abs(estimates[..., :5] - estimates[..., 5:])
    found = [best(np.zeros(6), 0.25 / count * np.eye(6), draws=200) for count in looks]
    always, se = np.array([one.always_high for one in found]), np.array([one.se for one in found])
    assert (differences > always).any(axis=(1, 2)).mean() <= 0.05
    assert (differences > 1.96 * se).any(axis=(1, 2)).mean() > 0.5, "which the interval for one look does not survive"


def test_one_candidate_was_not_chosen() -> None:
    found = best(np.array([0.3, 0.0]), 0.02 * np.eye(2))
    assert found.estimate == pytest.approx(0.3)


def test_few_degrees_of_freedom_widen() -> None:
    values, covariance = np.array([0.5, 0.3, 0.0]), 0.02 * np.eye(3)
    plain, few = best(values, covariance), best(values, covariance, dof=6.0)
    assert few.estimate_high - few.estimate_low > 1.2 * (plain.estimate_high - plain.estimate_low)


def test_refuses_what_makes_no_comparison() -> None:
    fit = estimates(np.array([0.0, 1.0, math.nan]))
    covariance = ClusteredCovariance(np.eye(3), math.inf)
    rng = np.random.default_rng(0)
    with pytest.raises(RatingError, match="at least one candidate"):
        best_of(fit, covariance, [], "contestant-0", rng=rng)
    with pytest.raises(RatingError, match="not among them"):
        best_of(fit, covariance, ["contestant-0"], "contestant-0", rng=rng)
    with pytest.raises(UnknownContestantError, match="contestant-2"):
        best_of(fit, covariance, ["contestant-2"], "contestant-0", rng=rng)


def luck(truth: Floats, runs: int) -> dict[str, float]:
    """Shares over runs: intervals that held the truth, estimates above it."""
    rng = np.random.default_rng(3)
    n = len(truth)
    covariance = 0.015 * np.eye(n) + 0.005
    shares: dict[str, list[bool]] = {"plain": [], "corrected": [], "too high": [], "plain too high": [], "all": []}
    for _ in range(runs):
        found = best(rng.multivariate_normal(truth, covariance), covariance, draws=2000)
        true = (truth[:-1] - truth[-1])[found.chosen]
        plain, se = found.difference[found.chosen], found.se[found.chosen]
        shares["plain"].append(bool(abs(plain - true) < 1.96 * se))
        shares["corrected"].append(found.estimate_low < true < found.estimate_high)
        shares["too high"].append(found.estimate > true)
        shares["plain too high"].append(bool(plain > true))
        shares["all"].append(bool(((found.low < truth[:-1] - truth[-1]) & (truth[:-1] - truth[-1] < found.high)).all()))
    return {name: float(np.mean(held)) for name, held in shares.items()}


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_the_luck_of_the_chosen(spread: float) -> None:
    shares = luck(np.append(np.linspace(0.0, spread, 12), 0.0), 400)
    # 400 runs know a share to 0.011 (0.025 in the middle).
    assert shares["corrected"] >= 0.92
    assert shares["all"] >= 0.92
    assert shares["too high"] == pytest.approx(0.5, abs=0.08)
    assert shares["plain too high"] > 0.8
    assert shares["plain"] < 0.93


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5, 1.5])
def test_the_luck_of_the_chosen_over_many_runs(spread: float) -> None:
    shares = luck(np.append(np.linspace(0.0, spread, 12), 0.0), 6000)
    assert shares["corrected"] >= 0.945
    assert shares["all"] >= 0.94
    assert shares["too high"] == pytest.approx(0.5, abs=0.03)
