"""Intervals that know who voted, against refits, algebra by hand and simulated worlds."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rating import student
from rating.covariance import Cluster, cluster_codes, clustered_covariance
from rating.joint import JointFit, fit_joint
from rating.ranks import difference_sd
from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes

Floats = NDArray[np.float64]
EVERY: tuple[Cluster, ...] = ("none", "voter", "prompt", "both")


def world(n: int = 8, **settings: object) -> World:
    return World(named(n), np.linspace(-1.0, 1.0, n), **settings)  # type: ignore[arg-type]


def repeated(votes: Votes, times: int) -> Votes:
    return votes.take(np.tile(np.arange(len(votes)), times))


def everybody_their_own_voter(votes: Votes) -> Votes:
    return replace(votes, voters=named(len(votes), "voter"), voter=np.arange(len(votes), dtype=np.int32))


def plain_sandwich(fit: JointFit, votes: Votes, codes: NDArray[np.intp]) -> Floats:
    """The textbook formula, cluster by cluster in dense matrices, without any correction."""
    scores = fit.scores(votes)
    total = np.zeros((codes.max() + 1, len(fit.parameters)))
    np.add.at(total, (codes[scores.vote], scores.parameter), scores.value)
    moved = total @ fit.covariance()
    n = len(fit.contestants)
    return (moved.T @ moved)[:n, :n]


def left_out(votes: Votes, codes: NDArray[np.intp]) -> Iterator[Floats]:
    """The estimate without each cluster, refitted."""
    n = len(votes.contestants)
    for code in range(codes.max() + 1):
        yield fit_joint(votes, left_seat=False, weights=(codes != code).astype(np.float64)).estimate[:n]


def test_is_the_jackknife_that_leaves_voters_out() -> None:
    votes = simulate(world(6, voters=12, taste=0.5), 3000, np.random.default_rng(1))
    fit = fit_joint(votes, left_seat=False)
    moves = np.stack(list(left_out(votes, cluster_codes(votes, "voter")))) - fit.estimate[:6]
    jackknife = difference_sd(moves.T @ moves)
    ours = difference_sd(clustered_covariance(fit, votes).matrix)
    plain = difference_sd(plain_sandwich(fit, votes, cluster_codes(votes, "voter")))
    pairs = np.triu_indices(6, 1)
    # Twelve voters: the textbook formula is more than a tenth too narrow.
    np.testing.assert_allclose(ours[pairs], jackknife[pairs], rtol=0.1)
    assert (ours[pairs] / jackknife[pairs]).mean() == pytest.approx(1.0, abs=0.03)
    assert (plain[pairs] / jackknife[pairs]).mean() < 0.9


@pytest.mark.parametrize("rules", [PollRules("pick", 4, "pick"), PollRules("ranking", 4, "ranking", tie=0.3)])
def test_many_small_clusters_need_no_correction(rules: PollRules) -> None:
    votes = simulate(world(6, polls=(rules,), voters=2000, activity=np.inf), 4000, np.random.default_rng(2))
    fit = fit_joint(votes)
    for cluster in ("none", "voter"):
        plain = difference_sd(plain_sandwich(fit, votes, cluster_codes(votes, cluster)))
        ours = difference_sd(clustered_covariance(fit, votes, cluster).matrix)
        np.testing.assert_allclose(ours, plain, rtol=0.02)


def test_voters_of_one_vote_each_are_votes() -> None:
    votes = everybody_their_own_voter(simulate(world(), 1500, np.random.default_rng(3)))
    fit = fit_joint(votes)
    by_voter, by_vote = clustered_covariance(fit, votes, "voter"), clustered_covariance(fit, votes, "none")
    np.testing.assert_allclose(by_voter.matrix, by_vote.matrix, rtol=1e-12)
    assert by_voter.dof == pytest.approx(by_vote.dof)
    # Where the likelihood is right, the sandwich is the inverse information.
    np.testing.assert_allclose(difference_sd(by_vote.matrix), difference_sd(fit.covariance()[:8, :8]), rtol=0.1)


def test_an_unknown_voter_is_a_cluster_for_each_vote() -> None:
    votes = simulate(world(), 1500, np.random.default_rng(3))
    assert (votes.voter == -1).all()
    fit = fit_joint(votes)
    named_voters = clustered_covariance(fit, everybody_their_own_voter(votes))
    np.testing.assert_allclose(clustered_covariance(fit, votes).matrix, named_voters.matrix, rtol=1e-12)
    some = replace(votes, voters=("a", "b"), voter=np.where(np.arange(1500) < 4, [0, 1] * 750, -1).astype(np.int32))
    assert cluster_codes(some, "voter")[:6].tolist() == [0, 1, 0, 1, 2, 3]


def test_saying_it_twice_does_not_narrow() -> None:
    votes = simulate(world(voters=300, taste=0.3), 1500, np.random.default_rng(4))
    once, twice = fit_joint(votes), fit_joint(repeated(votes, 2))
    by_voter = clustered_covariance(once, votes).matrix, clustered_covariance(twice, repeated(votes, 2)).matrix
    np.testing.assert_allclose(difference_sd(by_voter[1]), difference_sd(by_voter[0]), rtol=1e-3)
    by_vote = (
        clustered_covariance(once, votes, "none").matrix,
        clustered_covariance(twice, repeated(votes, 2), "none").matrix,
    )
    narrowed = difference_sd(by_vote[1])[0, 1:] / difference_sd(by_vote[0])[0, 1:]
    np.testing.assert_allclose(narrowed, np.sqrt(0.5), rtol=0.02)


def test_both_ways_at_once() -> None:
    votes = simulate(world(voters=40, taste=0.6, prompts=15, effect=0.6), 4000, np.random.default_rng(5))
    fit = fit_joint(votes)
    found = {cluster: clustered_covariance(fit, votes, cluster) for cluster in EVERY}
    assert np.linalg.eigvalsh(found["both"].matrix).min() > -1e-12
    assert found["both"].dof == pytest.approx(min(found["voter"].dof, found["prompt"].dof), rel=1e-12)
    width = {cluster: difference_sd(one.matrix)[np.triu_indices(8, 1)].mean() for cluster, one in found.items()}
    assert width["none"] < min(width["voter"], width["prompt"]) < max(width["voter"], width["prompt"]) < width["both"]


def test_what_would_be_negative_is_left_out() -> None:
    # Two voters by two prompts: the three parts all but cancel in some directions.
    votes = simulate(world(voters=2, prompts=2), 300, np.random.default_rng(6))
    assert np.linalg.eigvalsh(clustered_covariance(fit_joint(votes), votes, "both").matrix).min() > -1e-12


def test_one_voter_does_not_look_certain() -> None:
    votes = simulate(world(voters=1), 800, np.random.default_rng(7))
    fit = fit_joint(votes)
    found = clustered_covariance(fit, votes)
    model_based = fit.covariance()[:8, :8]
    assert (difference_sd(found.matrix) >= 0.999 * difference_sd(model_based)).all()
    assert found.dof == 2.0


def test_a_contestant_of_one_voter_does_not_look_certain() -> None:
    votes = simulate(world(voters=30, activity=np.inf), 3000, np.random.default_rng(8))
    kept = ~((votes.seats == 0).any(axis=1) & (votes.voter != 5))
    votes = votes.take(kept)
    fit = fit_joint(votes)
    found = difference_sd(clustered_covariance(fit, votes).matrix)[0, 1:]
    assert (found >= 0.8 * difference_sd(fit.covariance()[:8, :8])[0, 1:]).all()


def test_a_newcomer_makes_nobody_else_uncertain() -> None:
    old = simulate(world(voters=100), 3000, np.random.default_rng(7))
    names = (*old.contestants, "newcomer")
    seats = np.array([[8, at % 8] for at in range(12)], dtype=np.int32)
    ranks = np.array([[0, 1] if at == 4 else [1, 0] for at in range(12)], dtype=np.int16)
    more = old.take(np.arange(12))
    both = {name: np.concatenate([getattr(old, name), getattr(more, name)]) for name in ("kinds", "poll", "prompt")}
    both |= {"voter": np.concatenate([old.voter, more.voter]), "times": np.concatenate([old.times, more.times])}
    both |= {"seats": np.concatenate([old.seats, seats]), "ranks": np.concatenate([old.ranks, ranks])}
    votes = replace(old, contestants=names, ids=(), extra={}, **both)
    before, after = clustered_covariance(fit_joint(old), old), clustered_covariance(fit_joint(votes), votes)
    pairs = np.triu_indices(8, 1)
    np.testing.assert_allclose(difference_sd(after.matrix)[pairs], difference_sd(before.matrix)[pairs], rtol=0.05)
    np.testing.assert_allclose(np.diag(after.matrix)[:8], np.diag(before.matrix), rtol=0.1)
    assert after.dof > before.dof / 2
    # Its only win cannot be left out; what the model says of it stands, once or twice over.
    model = difference_sd(fit_joint(votes).covariance())[8, 0]
    assert model < difference_sd(after.matrix)[8, 0] < 3 * model


def test_hardly_more_clusters_than_contestants_stay_within_reason() -> None:
    rules = (PollRules("order", 4, "ranking"),)
    votes = everybody_their_own_voter(simulate(world(12, polls=rules), 40, np.random.default_rng(8)))
    fit = fit_joint(votes, left_seat=False, ridge=3.0)
    pairs = np.triu_indices(12, 1)
    ratio = difference_sd(clustered_covariance(fit, votes).matrix)[pairs] / difference_sd(fit.covariance())[pairs]
    assert 0.5 < np.median(ratio) < 2.5
    assert ratio.max() < 4


def test_nobody_without_a_vote_has_a_variance() -> None:
    votes = simulate(world(voters=30), 600, np.random.default_rng(9))
    votes = votes.take(~(votes.seats == 2).any(axis=1))
    matrix = clustered_covariance(fit_joint(votes), votes).matrix
    assert np.isnan(matrix[2]).all()
    assert np.isfinite(np.delete(np.delete(matrix, 2, 0), 2, 1)).all()


def test_order_of_votes_has_no_say() -> None:
    votes = simulate(world(voters=20, taste=0.5), 600, np.random.default_rng(10))
    shuffled = votes.take(np.random.default_rng(0).permutation(600))
    one, other = (clustered_covariance(fit_joint(these), these).matrix for these in (votes, shuffled))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def coverage(worlds: int, taste: float, cluster: Cluster = "voter", seed: int = 0) -> float:
    """The mean share of the 190 pair differences whose 95 % interval holds the true one (D8)."""
    pairs, covered = np.triu_indices(20, 1), []
    for at in range(worlds):
        rng = np.random.default_rng([seed, at])
        strengths = rng.normal(0.0, 1.0, 20)
        votes = simulate(World(named(20), strengths, voters=200, taste=taste), 5000, rng)
        fit = fit_joint(votes)
        found = clustered_covariance(fit, votes, cluster)
        error = np.subtract.outer(fit.estimate[:20] - strengths, fit.estimate[:20] - strengths)[pairs]
        covered.append((np.abs(error) < student.quantile(0.975, found.dof) * difference_sd(found.matrix)[pairs]).mean())
    return float(np.mean(covered))


def test_coverage_of_votes_by_voters_of_different_taste() -> None:
    # 40 worlds know the coverage to about 0.008.
    assert coverage(40, taste=0.5) >= 0.89
    assert coverage(20, taste=0.5, cluster="none") < 0.88


def test_coverage_of_independent_votes() -> None:
    assert 0.92 <= coverage(30, taste=0.0) <= 0.98


@pytest.mark.slow
def test_coverage_in_many_worlds() -> None:
    assert coverage(600, taste=0.5, seed=1) >= 0.90
    assert 0.93 <= coverage(600, taste=0.0, seed=1) <= 0.97
    assert 0.93 <= coverage(600, taste=0.0, cluster="none", seed=1) <= 0.97
