"""Resampling: against refits one by one, against the covariance, and where resamples determine nothing."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from rating.bootstrap import _by_vote, bootstrap
from rating.covariance import clustered_covariance
from rating.duels import duels_of
from rating.errors import StateError
from rating.game import Game
from rating.joint import Ties, fit_joint
from rating.outcomes import parse_outcome
from rating.ranks import difference_sd
from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes, votes_of

TWO_POLLS = (PollRules("draws", answer="draws", tie=0.5, left=0.3), PollRules("duel"))


def world(n: int = 6, **settings: object) -> World:
    return World(named(n), np.linspace(-0.8, 0.8, n), **settings)  # type: ignore[arg-type]


def mean_ratio(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    pairs = np.triu_indices(len(one), 1)
    return float((difference_sd(one)[pairs] / difference_sd(other)[pairs]).mean())


@pytest.mark.parametrize("ties", ["davidson", "half", "rao-kupper"])
@pytest.mark.parametrize("left_seat", [True, False])
def test_every_resample_is_a_fit_of_its_votes(ties: Ties, left_seat: bool) -> None:
    votes = simulate(world(polls=TWO_POLLS, voters=25, prompts=12), 900, np.random.default_rng(1))
    fit = fit_joint(votes, ties=ties, left_seat=left_seat)
    found = bootstrap(fit, votes, by="both", resamples=5, rng=np.random.default_rng(2))
    rng = np.random.default_rng(2)
    for estimate in found.estimates:
        voters = np.bincount(rng.integers(25, size=25), minlength=25)
        prompts = np.bincount(rng.integers(12, size=12), minlength=12)
        weights = (voters[votes.voter] * prompts[votes.prompt]).astype(np.float64)
        again = fit_joint(votes, ties=ties, left_seat=left_seat, weights=weights)
        np.testing.assert_allclose(estimate, again.estimate[:6], rtol=0, atol=1e-6)


def test_votes_spread_as_the_information_says() -> None:
    votes = simulate(world(polls=TWO_POLLS), 4000, np.random.default_rng(3))
    fit = fit_joint(votes)
    found = bootstrap(fit, votes, by="vote", rng=np.random.default_rng(4))
    assert found.refused == 0
    assert mean_ratio(found.covariance(), fit.covariance()[:6, :6]) == pytest.approx(1.0, abs=0.03)
    low, high = found.interval()
    sd = np.sqrt(np.diag(found.covariance()))
    np.testing.assert_allclose(high - low, 2 * 1.96 * sd, rtol=0.1)
    np.testing.assert_allclose((high + low) / 2, fit.estimate[:6], atol=0.5 * sd.max())


@pytest.mark.parametrize("by", ["voter", "prompt"])
def test_clusters_spread_as_the_sandwich_says(by: Literal["voter", "prompt"]) -> None:
    # All voters vote alike often; one with half of all votes would make the two differ by a fifth.
    even = world(voters=150, activity=np.inf, taste=0.6, prompts=150, effect=0.6)
    votes = simulate(even, 6000, np.random.default_rng(5))
    fit = fit_joint(votes)
    found = bootstrap(fit, votes, by=by, rng=np.random.default_rng(6))
    sandwich = clustered_covariance(fit, votes, by)
    assert mean_ratio(found.covariance(), sandwich.matrix) == pytest.approx(1.0, abs=0.1)
    assert mean_ratio(found.covariance(), fit.covariance()[:6, :6]) > 1.2


def test_two_ways_at_once_err_on_the_wide_side() -> None:
    votes = simulate(world(voters=100, taste=0.5, prompts=50, effect=0.5), 5000, np.random.default_rng(7))
    fit = fit_joint(votes)
    found = bootstrap(fit, votes, by="both", resamples=500, rng=np.random.default_rng(8))
    assert mean_ratio(found.covariance(), clustered_covariance(fit, votes, "both").matrix) > 1.0


def test_picks_and_rankings() -> None:
    polls = (PollRules("pick", 4, "pick"), PollRules("ranking", 4, "ranking"))
    votes = simulate(world(5, polls=polls), 800, np.random.default_rng(9))
    fit = fit_joint(votes, left_seat=False)
    seen: list[tuple[str, int, int]] = []
    found = bootstrap(
        fit, votes, by="vote", resamples=150, rng=np.random.default_rng(10), report=lambda *step: seen.append(step)
    )
    assert mean_ratio(found.covariance(), fit.covariance()[:5, :5]) == pytest.approx(1.0, abs=0.15)
    assert seen[-1] == ("resampling", 150, 150)


@pytest.mark.parametrize("votes", [3, 40, 5000])
def test_numbers_of_a_resample_are_multinomial(votes: int) -> None:
    drawn = simulate(world(3), votes, np.random.default_rng(21))
    duels = duels_of(fit_joint(drawn, ridge=1.0, left_seat=False), drawn)
    counts = _by_vote(duels, np.random.default_rng(22))(20_000)
    share = np.bincount(duels.cell, minlength=duels.cells) / votes
    covariance = votes * (np.diag(share) - np.outer(share, share))
    assert (counts >= 0).all()
    assert (counts.sum(axis=0) == votes).all()
    assert (counts[share == 0] == 0).all()
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(counts.mean(axis=1), votes * share, atol=5 * sd.max() / np.sqrt(20_000))
    np.testing.assert_allclose(np.cov(counts), covariance, atol=5 * sd.max() ** 2 * np.sqrt(2 / 20_000))


def test_resamples_of_large_and_small_cells_agree() -> None:
    votes = simulate(world(4), 400, np.random.default_rng(11))
    few = bootstrap(fit_joint(votes), votes, by="vote", rng=np.random.default_rng(0))
    many_votes = votes.take(np.tile(np.arange(400), 40))
    many = bootstrap(fit_joint(many_votes), many_votes, by="vote", rng=np.random.default_rng(0))
    assert mean_ratio(few.covariance(), many.covariance()) == pytest.approx(np.sqrt(40), rel=0.06)


def test_a_single_draw_is_absent_from_many_resamples() -> None:
    votes = simulate(world(4), 300, np.random.default_rng(12))
    ranks = votes.ranks.copy()
    ranks[0] = 0
    votes = replace(votes, ranks=ranks, kinds=np.where(np.arange(300) == 0, 1, votes.kinds).astype(np.int8))
    fit = fit_joint(votes)
    assert "tie:duel" in fit.terms
    found = bootstrap(fit, votes, by="vote", resamples=200, rng=np.random.default_rng(13))
    assert found.refused == 0
    assert np.abs(found.estimates).max() < 3.0


def thin_votes(wins_of_last: int) -> Votes:
    """a, b and c in balance; d lost 30 times and won a few."""
    texts = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c"), ("b", "a"), ("c", "b")] * 30
    pairs = [*texts, *[("a", "d")] * 30, *[("d", "a")] * wins_of_last]
    return votes_of([Game(pair, parse_outcome("1", 2), "duel") for pair in pairs])


def test_resamples_that_determine_nothing_are_counted() -> None:
    votes = thin_votes(3)
    found = bootstrap(fit_joint(votes, left_seat=False), votes, by="vote", rng=np.random.default_rng(14))
    # d wins none of 213 draws of 3 in 213: 1 in 20.
    assert 20 <= found.refused <= 90
    assert len(found.estimates) + found.refused == 1000


def test_too_many_of_them_are_an_error() -> None:
    votes = thin_votes(1)
    fit = fit_joint(votes, left_seat=False)
    with pytest.raises(StateError, match="of 100 resamples by vote determine no estimate"):
        bootstrap(fit, votes, by="vote", resamples=100, rng=np.random.default_rng(15))


def test_nobody_without_a_vote_has_an_estimate() -> None:
    votes = simulate(world(5, polls=TWO_POLLS), 900, np.random.default_rng(16))
    votes = votes.take(~(votes.seats == 3).any(axis=1))
    found = bootstrap(fit_joint(votes), votes, by="vote", resamples=20, rng=np.random.default_rng(17))
    assert np.isnan(found.estimates[:, 3]).all()
    assert np.isfinite(np.delete(found.estimates, 3, axis=1)).all()
    np.testing.assert_allclose(np.nansum(found.estimates, axis=1), 0.0, atol=1e-9)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_a_poll_of_draws_alone_spreads_nothing(ties: Ties) -> None:
    rng = np.random.default_rng(4)
    duels = simulate(World(named(4), np.zeros(4), (PollRules("duel", left=0.2),), voters=40), 400, rng)
    drawn = [Game(tuple(named(4)[:2]), parse_outcome("1=2", 2), "fixed")] * 200
    votes = votes_of([*duels.games(), *drawn])
    fit = fit_joint(votes, ties=ties)
    assert len(fit.left_out) == 1
    by_votes = bootstrap(fit, votes, by="vote", resamples=100, rng=np.random.default_rng(5))
    assert by_votes.refused == 0
    formula = difference_sd(clustered_covariance(fit, votes, "none").matrix)
    assert difference_sd(by_votes.covariance()) == pytest.approx(formula, rel=0.3)
