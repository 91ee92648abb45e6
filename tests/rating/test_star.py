"""Picking the best of several, against samples of the exact posterior."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.star import rate_pick
from rating.tree import propagate, skill_after
from rating.trueskill import TrueSkillSystem
from rating.votes import NOBODY, Votes

BETA = 25 / 6
FRESH = (25.0, 25 / 3)
# A nat of log-strength on this scale: a logistic curve looks like the normal one stretched 1.7 times.
NAT = math.sqrt(2) * BETA / 1.7


def sampled_posterior(beliefs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Mean and sd of each skill, given that the first performance was the greatest: by sampling, no algebra."""
    rng = np.random.default_rng(20240101)
    skills = np.stack([rng.normal(mu, sigma, 1_000_000) for mu, sigma in beliefs])
    performances = skills + rng.normal(0.0, BETA, skills.shape)
    kept = skills[:, performances.argmax(axis=0) == 0]
    return list(zip(kept.mean(axis=1), kept.std(axis=1), strict=True))


def pick(*beliefs: tuple[float, float]) -> list[tuple[float, float]]:
    after = rate_pick([mu for mu, _ in beliefs], [sigma**2 for _, sigma in beliefs], BETA)
    return [(mean, math.sqrt(variance)) for mean, variance in after]


@pytest.mark.parametrize(
    "beliefs",
    [
        [FRESH] * 4,
        [(30.0, 2.0), FRESH, (20.0, 5.0), (27.0, 3.0)],
        [(20.0, 3.0), (30.0, 2.0), FRESH, (25.0, 1.0)],
    ],
    ids=["fresh", "mixed", "upset"],
)
def test_close_to_the_exact_posterior(beliefs: list[tuple[float, float]]) -> None:
    for (mean, sd), (exact, exact_sd) in zip(pick(*beliefs), sampled_posterior(beliefs), strict=True):
        assert mean == pytest.approx(exact, abs=0.05)
        assert sd == pytest.approx(exact_sd, abs=0.06)


def test_figures_of_four_fresh_contestants() -> None:
    (best, _), *rest = pick(*[FRESH] * 4)
    assert best == pytest.approx(32.66, abs=0.01)
    for loser in rest:
        assert loser == pytest.approx((22.45, 7.28), abs=0.01)


def test_two_seats_are_a_plain_duel() -> None:
    # Published figures of the duel without draws and dynamics.
    assert pick(FRESH, FRESH) == [
        pytest.approx((29.2052, 7.19448), abs=1e-4),
        pytest.approx((20.7948, 7.19448), abs=1e-4),
    ]


def test_the_losers_order_has_no_say() -> None:
    losers = [(30.0, 2.0), FRESH, (25.0, 1.0), (31.0, 4.0), (31.0, 3.0)]
    forward, backward = pick((27.0, 5.0), *losers), pick((27.0, 5.0), *losers[::-1])
    assert forward == [backward[0], *backward[:0:-1]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-40.0, 40.0), st.floats(0.05, 9.0)), min_size=2, max_size=9))
def test_the_fixed_point_is_that_of_messages_on_any_tree(beliefs: list[tuple[float, float]]) -> None:
    """rating.tree with a factor for each arm, which passes messages in both directions."""
    means, variances, arms = [mu for mu, _ in beliefs], [sigma**2 for _, sigma in beliefs], len(beliefs) - 1
    precision = [1.0 / (variance + BETA**2) for variance in variances]
    before, pull = precision[:], [weight * mean for weight, mean in zip(precision, means, strict=True)]
    propagate(precision, pull, [(0, at, False) for at in range(1, arms + 1)], [0.0] * arms, range(arms), 0.0, 0.0)
    for at, (mean, sd) in enumerate(pick(*beliefs)):
        told = precision[at] - before[at], pull[at] - precision[at] * means[at]
        other, variance = skill_after(means[at], variances[at], BETA**2, *told)
        assert (mean, sd) == (pytest.approx(other, abs=1e-7), pytest.approx(math.sqrt(variance), abs=1e-7))


def test_equal_losers_stay_equal() -> None:
    _, *losers = pick((27.0, 5.0), *[FRESH] * 8)
    assert losers == [pytest.approx(losers[0], abs=3e-8)] * 8


@pytest.mark.parametrize("gap", [1e2, 1e3, 1e6])
def test_an_unthinkable_win_still_gives_finite_numbers(gap: float) -> None:
    (best, _), (loser, _), *_ = after = pick((0.0, 1.0), (gap, 1.0), (0.0, 1.0))
    assert all(math.isfinite(mean) and 0 < sd <= 1.0 + 1e-9 for mean, sd in after)
    assert 0 < best < gap
    assert 0 < loser < gap


def picks(count: int, rng: np.random.Generator) -> tuple[np.ndarray, Votes]:
    """True skills of 20 contestants, a nat apart, and `count` votes that pick the best of four of them."""
    skills = rng.normal(25.0, NAT, 20)
    seats = np.argsort(rng.random((count, 20)), axis=1)[:, :4].astype(np.int32)
    ranks = np.ones((count, 4), np.int16)
    ranks[np.arange(count), rng.normal(skills[seats], BETA).argmax(axis=1)] = 0
    nobody = np.full(count, NOBODY, np.int32)
    names = tuple(f"c{code:02}" for code in range(20))
    kinds, polls = np.zeros(count, np.int8), np.zeros(count, np.int32)
    return skills, Votes(names, ("ffa",), (), (), seats, ranks, kinds, polls, nobody, nobody, np.arange(float(count)))


def coverage(system: TrueSkillSystem, worlds: int, count: int) -> float:
    """The share of pairs whose true difference lies within 1.96 sd of the rated one."""
    one, other = np.triu_indices(20, 1)
    shares = []
    for seed in range(worlds):
        skills, votes = picks(count, np.random.default_rng(seed))
        standings = system.standings(system.fold(system.start(), votes))
        mu = np.array([standings[name].mu for name in votes.contestants])
        sigma = np.array([standings[name].sigma for name in votes.contestants])
        error = (mu[one] - mu[other]) - (skills[one] - skills[other])
        shares.append(np.mean(np.abs(error) <= 1.96 * np.hypot(sigma[one], sigma[other])))
    return float(np.mean(shares))


def test_intervals_of_picks_hold_in_a_small_simulation() -> None:
    assert 0.92 <= coverage(TrueSkillSystem(), 12, 500) <= 0.97


def test_reading_losers_as_drawn_would_not_hold() -> None:
    assert coverage(TrueSkillSystem(compat=True, tau=0.0), 2, 500) < 0.5


@pytest.mark.slow
def test_intervals_of_picks_hold_in_a_simulation_of_2000_polls() -> None:
    assert 0.92 <= coverage(TrueSkillSystem(), 40, 2000) <= 0.97
