"""Elo's interval: covers the truth in simulations, and agrees with what theory says of wandering ratings."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rating.elo import EloSystem, expected
from rating.elo_interval import elo_interval, forgetting, stationary_sd
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.votes import NOBODY, Votes, votes_of

POINTS = 400 / math.log(10)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def world(seed: int, n: int = 20, **more: object) -> tuple[World, np.ndarray]:
    strengths = rng(seed).normal(0.0, 100.0, n)
    return World(named(n), strengths / POINTS, **more), strengths  # type: ignore[arg-type]


def coverage(votes: int, k: float, worlds: int, **options: object) -> float:
    """The share of pairs whose true difference lies within 1.96 sd of the difference of the last ratings."""
    shares = []
    for seed in range(worlds):
        made, strengths = world(seed)
        found = elo_interval(EloSystem(k=k), simulate(made, votes, rng(seed)), rng=rng(seed), **options)  # type: ignore[arg-type]
        above = np.triu_indices(20, 1)
        off = np.subtract.outer(found.value, found.value) - np.subtract.outer(strengths, strengths)
        variances = np.diag(found.covariance)
        sd = np.sqrt(np.add.outer(variances, variances) - 2 * found.covariance)
        shares.append(np.mean(np.abs(off[above]) < 1.96 * sd[above]))
    return float(np.mean(shares))


def test_a_large_step_wanders_and_the_interval_says_so() -> None:
    assert 0.92 <= coverage(2000, 32.0, 9, replicates=60, pairs=100_000) <= 0.98


def test_a_small_step_has_not_arrived_and_the_interval_says_so() -> None:
    assert 0.90 <= coverage(2000, 4.0, 9, replicates=60, pairs=100_000) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("votes", [300, 2_000, 10_000])
@pytest.mark.parametrize("k", [32.0, 4.0])
def test_pairs_are_covered(votes: int, k: float) -> None:
    assert 0.92 <= coverage(votes, k, 60) <= (0.98 if votes == 300 else 0.97)


def test_the_closed_form_is_the_one_of_the_table() -> None:
    # Last-value errors of rating.md's table at 50,000 votes: 52.7, 36.3 and 18.0 (20 contestants, so a factor .975).
    assert [stationary_sd(k, 10**9) for k in (32, 16, 4)] == pytest.approx([52.72, 37.28, 18.64], abs=0.01)


@pytest.mark.parametrize(("k", "n"), [(32.0, 20), (16.0, 8)])
def test_the_bootstrap_finds_the_closed_form_after_many_votes(k: float, n: int) -> None:
    made = World(named(n), np.zeros(n))
    found = elo_interval(EloSystem(k=k), simulate(made, 3000, rng(1)), rng=rng(2), cluster="none")
    assert np.sqrt(np.diag(found.covariance)).mean() == pytest.approx(stationary_sd(k, n), rel=0.08)
    assert np.abs(found.bias).max() < 1.0


def test_votes_do_not_shrink_it() -> None:
    made = world(3)[0]
    few, many = (
        np.sqrt(np.diag(elo_interval(EloSystem(), simulate(made, votes, rng(3)), rng=rng(4)).covariance)).mean()
        for votes in (2_000, 20_000)
    )
    assert many == pytest.approx(few, rel=0.15)


def test_draws_make_less_noise() -> None:
    sds = [
        np.sqrt(np.diag(elo_interval(EloSystem(), simulate(made, 2000, rng(1)), rng=rng(2)).covariance)).mean()
        for made in (World(named(6), np.zeros(6), (PollRules("p", answer="draws", tie=tie),)) for tie in (0.0, 2.0))
    ]
    # Two equals draw every second time at tie 2: the variance of a score halves.
    assert sds[1] / sds[0] == pytest.approx(math.sqrt(0.5), rel=0.12)


@pytest.mark.parametrize(("seats", "votes"), [(2, 150), (4, 40)])
def test_forgetting_is_what_expected_scores_do(seats: int, votes: int) -> None:
    # Without noise, each vote moves the ratings by K / (n - 1) (expected under the truth - expected under the ratings).
    truth, k = np.array([15.0, 5.0, 0.0, -8.0, -12.0]), 16.0
    kind = "duel" if seats == 2 else "ranking"
    asked = simulate(World(named(5), truth / POINTS, (PollRules("p", seats, kind),)), votes, rng(5))  # type: ignore[arg-type]
    ratings = np.zeros(5)
    for row in asked.seats:
        before = ratings.copy()
        for one in row:
            for other in row:
                if one < other:
                    gain = expected(truth[one], truth[other]) - expected(before[one], before[other])
                    ratings[one] += k / (seats - 1) * gain
                    ratings[other] -= k / (seats - 1) * gain
    left, undone = forgetting(ratings, asked, k)
    assert truth - ratings == pytest.approx(left @ truth, abs=0.15)
    assert undone @ ratings == pytest.approx(truth - ratings, abs=0.5)
    assert np.abs(truth - ratings).max() > 1.0


def test_a_pick_compares_the_winner_alone() -> None:
    picked = votes_of([Game(("a", "b", "c"), parse_outcome("1", 3), "ffa")])
    left, _ = forgetting(np.zeros(3), picked, 40.0)
    # H = K ln 10 / 400 / 4 / 2 on the pairs a-b and a-c; its row sums are zero, and b forgets nothing directly to c.
    step = 40 * math.log(10) / 400 / 8
    values, vectors = np.linalg.eigh(step * np.array([[2.0, -1, -1], [-1, 1, 0], [-1, 0, 1]]))
    assert left == pytest.approx((vectors * np.exp(-values)) @ vectors.T, abs=1e-12)


def with_voters(votes: Votes, voter: np.ndarray) -> Votes:
    return replace(votes, voter=voter.astype(np.int32), voters=tuple(f"{at:04}" for at in range(len(votes))))


def test_votes_of_unknown_voters_are_clusters_of_their_own() -> None:
    votes = with_voters(simulate(world(1, 6)[0], 200, rng(1)), np.full(200, NOBODY))
    one, other = (elo_interval(EloSystem(), votes, cluster=by, rng=rng(2)) for by in ("voter", "none"))  # type: ignore[arg-type]
    assert np.array_equal(one.covariance, other.covariance)


def test_votes_of_one_voter_stand_and_fall_together() -> None:
    # Ten voters who each repeat one vote a hundred times say as much as ten votes do.
    once = simulate(world(2, 4)[0], 10, rng(2))
    votes = with_voters(once.take(np.repeat(np.arange(10), 100)), np.repeat(np.arange(10), 100))
    own, clustered = (elo_interval(EloSystem(k=4), votes, cluster=by, rng=rng(3)) for by in ("none", "voter"))  # type: ignore[arg-type]
    assert np.trace(clustered.covariance) > 4 * np.trace(own.covariance)


def test_prompts_and_both_resample_what_they_say() -> None:
    votes = with_voters(simulate(world(2, 4)[0], 300, rng(2)), np.arange(300))
    votes = replace(votes, prompt=votes.voter, prompts=votes.voters)
    found = [
        elo_interval(EloSystem(k=4), votes, cluster=by, rng=rng(3), replicates=300)  # type: ignore[arg-type]
        for by in ("voter", "prompt", "both")
    ]
    assert np.array_equal(found[0].covariance, found[1].covariance)
    noise = [np.trace(one.covariance - np.outer(one.bias, one.bias)) for one in found]
    assert noise[2] > 1.3 * noise[0]


def test_who_stopped_voting_long_ago_is_not_certain() -> None:
    # Only the last votes are resampled; z played before them, and its rating wandered like everybody's.
    early = simulate(World(named(5), np.zeros(5)), 500, rng(6))
    late = early.take((early.seats != 4).all(axis=1))
    votes = early.take(np.arange(500))
    stacked = {
        name: np.concatenate([getattr(part, name) for part in (votes, late, late)])
        for name in ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times")
    }
    found = elo_interval(EloSystem(), replace(votes, **stacked, ids=()), rng=rng(7), pairs=10_000)
    sd = np.sqrt(np.diag(found.covariance))
    assert sd[4] == pytest.approx(sd[:4].mean(), rel=0.3)


def test_those_without_counted_votes_have_no_numbers() -> None:
    votes = votes_of([Game(("a", "b"), parse_outcome("1", 2), "duel"), Game(("c", "d"), parse_outcome("1", 2), "duel")])
    votes.kinds[1], votes.ranks[1] = 3, -1
    found = elo_interval(EloSystem(), votes, rng=rng())
    assert np.isnan(found.value).tolist() == [False, False, True, True]
    assert np.isnan(found.low).tolist() == np.isnan(found.covariance[0]).tolist() == [False, False, True, True]
    assert found.low[0] < found.value[0] < found.high[0]


def test_it_repeats_with_its_seed_and_reports_progress() -> None:
    votes, told = simulate(world(1, 6)[0], 100, rng(1)), list[tuple[str, int, int]]()
    one = elo_interval(EloSystem(), votes, rng=rng(9), replicates=5, report=lambda *step: told.append(step))
    other = elo_interval(EloSystem(), votes, rng=rng(9), replicates=5)
    assert [done for step, done, _ in told if step == "resampling votes"] == [1, 2, 3, 4, 5]
    assert np.array_equal(one.covariance, other.covariance)
