"""Picking the best of several, against samples of the exact posterior."""

import math

import numpy as np
import pytest

from rating.gaussian import Normal, win_moments
from rating.star import rate_pick

BETA = 25 / 6
FRESH = (25.0, 25 / 3)


def sampled_posterior(beliefs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Mean and sd of each skill, given that the first performance was the greatest: by sampling, no algebra."""
    rng = np.random.default_rng(20240101)
    skills = np.stack([rng.normal(mu, sigma, 2_000_000) for mu, sigma in beliefs])
    performances = skills + rng.normal(0.0, BETA, skills.shape)
    kept = skills[:, performances.argmax(axis=0) == 0]
    return list(zip(kept.mean(axis=1), kept.std(axis=1), strict=True))


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
    winner, *losers = [Normal(mu, sigma**2) for mu, sigma in beliefs]
    best, rest = rate_pick(winner, losers, BETA)
    for rated, (mean, sd) in zip([best, *rest], sampled_posterior(beliefs), strict=True):
        assert rated.mean == pytest.approx(mean, abs=0.05)
        assert math.sqrt(rated.variance) == pytest.approx(sd, abs=0.06)


def test_figures_of_four_fresh_contestants() -> None:
    best, rest = rate_pick(Normal(25.0, FRESH[1] ** 2), [Normal(25.0, FRESH[1] ** 2)] * 3, BETA)
    assert best.mean == pytest.approx(32.66, abs=0.01)
    for loser in rest:
        assert loser.mean == pytest.approx(22.45, abs=0.01)
        assert math.sqrt(loser.variance) == pytest.approx(7.28, abs=0.01)


def test_two_seats_are_a_plain_duel() -> None:
    # Published figures of the duel without draws and dynamics: 29.2052 and 20.7948, each +- 7.19448.
    best, (loser,) = rate_pick(Normal(25.0, FRESH[1] ** 2), [Normal(25.0, FRESH[1] ** 2)], BETA)
    assert best.mean == pytest.approx(29.2052, abs=1e-4)
    assert loser.mean == pytest.approx(20.7948, abs=1e-4)
    assert math.sqrt(best.variance) == pytest.approx(7.19448, abs=1e-5)
    assert math.sqrt(loser.variance) == pytest.approx(7.19448, abs=1e-5)


@pytest.mark.parametrize("gap", [1e2, 1e3, 1e6])
def test_an_unthinkable_win_still_gives_finite_numbers(gap: float) -> None:
    best, rest = rate_pick(Normal(0.0, 1.0), [Normal(gap, 1.0), Normal(0.0, 1.0)], BETA)
    assert all(math.isfinite(skill.mean) and 0 < skill.variance <= 1.0 + 1e-9 for skill in [best, *rest])
    assert best.mean > 0
    assert rest[0].mean < gap


def test_moments_meet_where_the_formula_changes() -> None:
    below, above = win_moments(math.nextafter(-8.0, -9.0)), win_moments(-8.0)
    assert below == pytest.approx(above, rel=1e-12)


@pytest.mark.parametrize("t", [-3.0, -0.5, 0.0, 2.0])
def test_moments_of_a_truncated_normal(t: float) -> None:
    z = np.random.default_rng(5).normal(t, 1.0, 4_000_000)
    kept = z[z > 0]
    v, w = win_moments(t)
    error = 5 / math.sqrt(len(kept))
    assert t + v == pytest.approx(kept.mean(), abs=error)
    assert 1 - w == pytest.approx(kept.var(), abs=2 * error)
