"""Ranks, tiers and the chance of being the best, on boards small enough to know the answer."""

import math

import numpy as np
import pytest

from rating import student
from rating.covariance import Cluster, clustered_covariance
from rating.joint import fit_joint
from rating.ranks import best_probability, rank_ranges, separations, superiority, tiers
from rating.simulation import World, named, simulate

NAN = math.nan


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def test_two_groups_far_apart() -> None:
    mean = np.array([0.0, 5.0, 0.1, 5.1])
    ranges = rank_ranges(mean, 0.01 * np.eye(4), rng=generator())
    assert ranges.low.tolist() == [3, 1, 3, 1]
    assert ranges.high.tolist() == [4, 2, 4, 2]
    assert ranges.tier.tolist() == [2, 1, 2, 1]


def test_a_chain_of_neighbours_that_cannot_be_told_apart() -> None:
    # Neighbours are 1 apart, the next 2; the standard error of a difference is 0.5, the critical value within 2 and 4.
    ranges = rank_ranges(np.array([3.0, 2.0, 1.0]), 0.125 * np.eye(3), rng=generator())
    assert ranges.low.tolist() == [1, 1, 2]
    assert ranges.high.tolist() == [2, 3, 3]
    assert ranges.tier.tolist() == [1, 1, 2]


def test_two_contestants_are_judged_by_the_plain_quantile() -> None:
    for dof in (math.inf, 8.0):
        critical = student.quantile(0.975, dof)
        for factor, apart in ((0.95, False), (1.05, True)):
            mean = np.array([0.0, critical * factor * math.sqrt(2.0)])
            separated = separations(mean, np.eye(2), dof=dof, rng=generator(), draws=100_000)
            assert separated.tolist() == [[False, False], [apart, False]]


def test_a_gauge_and_a_constant_change_nothing() -> None:
    rng = generator()
    root = rng.normal(size=(6, 6))
    covariance, mean = root @ root.T / 20, rng.normal(size=6)
    centre = np.eye(6) - 1 / 6
    plain = rank_ranges(mean, covariance, rng=generator())
    gauged = rank_ranges(mean + 7.0, centre @ covariance @ centre, rng=generator())
    assert plain.low.tolist() == gauged.low.tolist()
    assert plain.high.tolist() == gauged.high.tolist()


def test_who_has_no_estimate_has_no_rank() -> None:
    mean = np.array([NAN, 1.0, 0.0])
    covariance = np.diag([NAN, 0.01, 0.01])
    ranges = rank_ranges(mean, covariance, rng=generator())
    assert ranges.low.tolist() == [0, 1, 2]
    assert ranges.high.tolist() == [0, 1, 2]
    assert ranges.tier.tolist() == [0, 1, 2]
    assert best_probability(mean, covariance, rng=generator())[0] == 0.0
    assert np.isnan(superiority(mean, covariance)[0]).all()
    nobody = rank_ranges(np.array([NAN]), np.array([[NAN]]), rng=generator())
    assert nobody.low.tolist() == [0]


def test_equal_estimates_without_uncertainty_stay_together() -> None:
    ranges = rank_ranges(np.array([1.0, 1.0, 0.0]), np.zeros((3, 3)), rng=generator())
    assert ranges.low.tolist() == [1, 1, 3]
    assert ranges.high.tolist() == [2, 2, 3]


def test_no_two_members_of_a_tier_are_separated() -> None:
    # The fourth is separated from the second, though not from the first, whose error is large.
    separated = np.zeros((4, 4), dtype=bool)
    separated[1, 3] = True
    assert tiers(np.array([4.0, 3.0, 2.0, 1.0]), separated).tolist() == [1, 1, 1, 2]


def test_being_the_best() -> None:
    probability = best_probability(np.array([0.0, 0.5, -9.0]), np.eye(3), rng=generator(), draws=100_000)
    assert probability.sum() == pytest.approx(1.0)
    # Of two independent ones: Phi(0.5 / sqrt 2).
    assert probability[1] == pytest.approx(student.cdf(0.5 / math.sqrt(2.0), math.inf), abs=0.005)
    assert probability[2] == 0.0


def test_superiority_of_pairs() -> None:
    mean, covariance = np.array([0.0, 1.0]), np.array([[0.5, 0.25], [0.25, 1.0]])
    probability = superiority(mean, covariance)
    assert probability[1, 0] == pytest.approx(student.cdf(1.0, math.inf))
    assert probability[0, 1] + probability[1, 0] == pytest.approx(1.0)
    assert superiority(mean, covariance, dof=4.0)[1, 0] == pytest.approx(student.cdf(1.0, 4.0))


def test_few_degrees_of_freedom_widen() -> None:
    mean = np.array([0.0, 2.5, 5.0])
    covariance = 0.5 * np.eye(3)
    assert (
        separations(mean, covariance, rng=generator()).sum()
        > separations(mean, covariance, dof=3.0, rng=generator()).sum()
    )


def null_board_separations(boards: int, n: int, draws: int) -> float:
    """The share of boards of equal contestants on which any pair is separated."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(boards):
        root = rng.normal(size=(n, 2 * n))
        covariance = root @ root.T / (2 * n)
        mean = rng.multivariate_normal(np.zeros(n), covariance)
        wrong += bool(separations(mean, covariance, rng=rng, draws=draws).any())
    return wrong / boards


def test_false_separations_of_known_errors() -> None:
    # All pairs at once: 5 %, give or take 3 standard errors of 500 boards.
    assert 0.02 <= null_board_separations(500, 8, 1000) <= 0.08


def false_separations(boards: int, n: int, votes: int, cluster: Cluster) -> float:
    """The share of boards on which any of n equal contestants is separated, taste of 200 voters included (D8)."""
    wrong = 0
    for at in range(boards):
        rng = np.random.default_rng([21, at])
        cast = simulate(World(named(n), np.zeros(n), voters=200, taste=0.5), votes, rng)
        fit = fit_joint(cast)
        found = clustered_covariance(fit, cast, cluster)
        wrong += bool(separations(fit.estimate[:n], found.matrix, dof=found.dof, rng=rng, draws=2000).any())
    return wrong / boards


def test_false_separations_of_boards() -> None:
    # 60 boards know 5 % to 3 %. Votes taken for independent separate several times as often.
    assert false_separations(60, 8, 1600, "voter") <= 0.07 + 0.05
    assert false_separations(60, 8, 1600, "none") > 0.15


@pytest.mark.slow
def test_false_separations_of_a_thousand_boards() -> None:
    assert false_separations(1000, 20, 5000, "voter") <= 0.07


def test_same_generator_same_ranks() -> None:
    rng = np.random.default_rng(3)
    mean, covariance = rng.normal(size=10), np.eye(10) * 0.1
    one = separations(mean, covariance, rng=generator())
    assert (one == separations(mean, covariance, rng=generator())).all()
