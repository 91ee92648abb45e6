"""TrueSkill 2 in simulated worlds: what it learns, how much polls and epochs help each other, coverage."""

import numpy as np
import pytest

from rating.simulation import PollRules, World, named, simulate
from rating.trueskill2 import fit_trueskill2
from tests.rating.polls_and_runs import geometric_mean, mode_world, rmse, run_world


def polls_compared(rho: float, worlds: int) -> tuple[float, float, float]:
    """Mean learned correlation, and RMSE against fits of each poll with the same prior: sparse, dense poll."""
    learned, sparse, dense = [], [], []
    for seed in range(worlds):
        votes, skills = mode_world(1000 + seed, rho, (2500, 1200, 250))
        fit = fit_trueskill2(votes)
        alone = fit_trueskill2(votes, sd=fit.prior.sd, rho=0.0)
        learned.append(fit.prior.rho)
        sparse.append(rmse(fit, skills, 2) / rmse(alone, skills, 2))
        dense.append(rmse(fit, skills, 0) / rmse(alone, skills, 0))
    return float(np.mean(learned)), geometric_mean(sparse), geometric_mean(dense)


@pytest.mark.parametrize(("rho", "worst"), [(0.5, 1.03), (0.8, 0.9)])
def test_correlated_polls_help_the_sparse_one(rho: float, worst: float) -> None:
    learned, sparse, dense = polls_compared(rho, 8)
    assert learned == pytest.approx(rho, abs=0.12)
    assert sparse < worst
    assert dense < 1.03


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "worst"), [(0.5, 1.03), (0.8, 0.9), (0.95, 0.75)])
def test_correlated_polls_help_the_sparse_one_in_many_worlds(rho: float, worst: float) -> None:
    learned, sparse, dense = polls_compared(rho, 60)
    assert learned == pytest.approx(rho, abs=0.06)
    assert sparse < worst
    assert dense < 1.02


def epochs_compared(gamma: float, worlds: int) -> tuple[float, float]:
    """The learned gamma, and the RMSE against the fit that takes epochs as strangers: geometric means over worlds."""
    learned, ratios = [], []
    for seed in range(worlds):
        votes, skills, lineage = run_world(2000 + seed, gamma, 700)
        fit = fit_trueskill2(votes, lineage=lineage)
        strangers = fit_trueskill2(votes)
        learned.append(fit.prior.gamma)
        ratios.append(rmse(fit, skills[None]) / rmse(strangers, skills[None]))
    return geometric_mean(learned), geometric_mean(ratios)


def test_epochs_of_a_run_help_each_other() -> None:
    gamma, ratio = epochs_compared(0.2, 6)
    assert gamma == pytest.approx(0.2, rel=0.3)
    assert ratio < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.1, 0.2, 0.4])
def test_epochs_of_a_run_help_each_other_in_many_worlds(gamma: float) -> None:
    learned, ratio = epochs_compared(gamma, 40)
    assert learned == pytest.approx(gamma, rel=0.15)
    assert ratio < 0.95


def test_intervals_cover() -> None:
    inside = []
    for seed in range(6):
        votes, skills = mode_world(3000 + seed, 0.8, (900, 500, 200))
        fit = fit_trueskill2(votes)
        i, j = np.triu_indices(16, 1)
        for poll in range(3):
            V = fit.covariance[poll, :, poll]
            sd = np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j])
            gap = fit.skills[poll, i] - fit.skills[poll, j] - skills[poll, i] + skills[poll, j]
            inside.append(np.abs(gap) < 1.96 * sd)
    assert 0.92 < np.mean(inside) < 0.98


def test_the_left_seat_is_told_from_the_skills() -> None:
    rng = np.random.default_rng(5)
    skills = rng.normal(0, 0.8, 8)
    votes = simulate(World(named(8), skills, (PollRules("duel", left=0.4),)), 6000, rng)
    fit = fit_trueskill2(votes)
    assert fit.terms["left:duel"] == pytest.approx(0.4, abs=0.1)
