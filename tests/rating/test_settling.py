"""Intervals, rank ranges and states of every metric of the boards."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rating import student
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.registry import SYSTEMS
from rating.settling import Settled, believed, settle
from rating.votes import Votes, votes_of

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))
N = 12
NAMES = tuple(f"c{n:02}" for n in range(N))


def world(seed: int, count: int, voters: int = 100) -> tuple[NDArray[np.float64], Votes]:
    """Log-strengths of sd 100 Elo points, and duels between random pairs of them."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 100 * math.log(10) / 400, N)
    one = rng.integers(0, N, count)
    other = (one + rng.integers(1, N, count)) % N
    won = rng.random(count) < 1 / (1 + np.exp(theta[other] - theta[one]))
    zero = np.zeros(count, np.int32)
    votes = Votes(
        NAMES, ("duel",), ("p",), tuple(f"v{n:03}" for n in range(voters)),
        np.stack([one, other], axis=1).astype(np.int32), np.stack([~won, won], axis=1).astype(np.int16),
        np.zeros(count, np.int8), zero, zero, rng.integers(0, voters, count).astype(np.int32), np.arange(float(count)),
    )  # fmt: skip
    return theta, votes


def truth(metric: str, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """The strengths in the unit of the metric: beliefs of TrueSkill by the logistic's closeness to a normal law."""
    if metric == "trueskill":
        return theta * math.sqrt(2) * 25 / 6 / 1.702
    if metric == "winrate":
        wins = 1 / (1 + np.exp(theta - theta[:, None]))
        return 100 * (wins.sum(axis=1) - 0.5) / (N - 1)
    return theta * 400 / math.log(10)


def settled(metric: str, votes: Votes) -> Settled:
    system = SYSTEMS[metric]
    return settle(system, system.fold(system.start(), votes), votes)


@every_metric
def test_intervals_of_differences_cover_the_truth(metric: str) -> None:
    above, hits = np.triu_indices(N, 1), []
    for seed in range(12):
        theta, votes = world(seed, 1500)
        system, wanted = SYSTEMS[metric], truth(metric, theta)
        found = believed(system, system.fold(system.start(), votes), votes)
        variance = np.diag(found.covariance)
        sd = np.sqrt(variance[:, None] + variance - 2 * found.covariance)
        error = np.abs(found.mean[:, None] - found.mean - (wanted[:, None] - wanted))
        hits.append((error < student.quantile(0.975, found.dof) * sd)[above].mean())
    # docs/boards.md has the measured shares; twelve worlds tell them within some hundredths.
    assert np.mean(hits) > 0.90


@every_metric
def test_rank_ranges_hold_the_true_ranks_and_are_some_use(metric: str) -> None:
    held, widths = [], []
    for seed in range(8):
        theta, votes = world(seed, 3000)
        rows = settled(metric, votes).rows
        ranks = 1 + (theta > theta[:, None]).sum(axis=1)
        held.append(
            all(rows[name]["rank"] <= rank <= rows[name]["rank_high"] for name, rank in zip(NAMES, ranks, strict=True))
        )
        widths += [rows[name]["rank_high"] - rows[name]["rank"] for name in NAMES]
    assert sum(held) >= 7
    # Elo wanders by 50 points whatever the votes, half the spread of these strengths.
    assert np.mean(widths) < (10 if metric == "elo" else 8)


@every_metric
def test_everything_known_of_a_small_log(metric: str) -> None:
    _, votes = world(1, 400)
    found = settled(metric, votes)
    assert (found.state, found.pairs, found.voters) == ("ok", N * (N - 1) // 2, len(np.unique(votes.voter)))
    assert set(found.rows) == set(NAMES)
    assert sum(row["best"] for row in found.rows.values()) == pytest.approx(1)
    separated = sum(N - row["rank_high"] for row in found.rows.values())
    assert separated == found.decided == sum(row["rank"] - 1 for row in found.rows.values())
    assert all((row["value"] is not None) is (metric == "joint") for row in found.rows.values())
    assert settled(metric, votes) == found


@every_metric
@pytest.mark.parametrize(
    ("log", "state"),
    [
        ([], "no-votes"),
        (["ab 1=2"], "all-draws"),
        (["ab 1", "cd 1"], "disconnected"),
    ],
)
def test_states_have_no_rows(metric: str, log: list[str], state: str) -> None:
    games = [Game(tuple(one.split()[0]), parse_outcome(one.split()[1], 2), "poll") for one in log]
    found = settled(metric, votes_of(games))
    assert (found.state, found.rows) == (state, {})
    assert found.message


@every_metric
def test_only_the_likelihood_alone_cannot_rate_who_never_lost(metric: str) -> None:
    found = settled(metric, votes_of([Game(("a", "b"), parse_outcome("1", 2), "poll")] * 3))
    assert found.state == ("separated" if metric == "joint" else "ok")
    assert bool(found.rows) is (metric != "joint")


def test_the_likelihood_rates_those_that_can_be_and_names_the_rest() -> None:
    texts = ["ab 1", "ab 2", "bc 1", "bc 2", "ca 1", "ca 2", "ac 1", "dn 1", "da 1"]
    votes = votes_of([Game(tuple(one.split()[0]), parse_outcome(one.split()[1], 2), "poll") for one in texts])
    found = settled("joint", votes)
    assert (found.state, found.left_out) == ("ok", ("d", "n"))
    assert set(found.rows) == {"a", "b", "c"}
    alone = votes_of([Game(tuple(one.split()[0]), parse_outcome(one.split()[1], 2), "poll") for one in texts[:-2]])
    for name, row in settled("joint", alone).rows.items():
        assert found.rows[name] == pytest.approx(row)


def test_those_left_out_may_take_the_votes_that_joined_others_along() -> None:
    texts = [("ab", "1"), ("ab", "2"), ("ab", "1"), ("cd", "1"), ("cd", "2"), ("acnm", "1>2>3>4"), ("acnm", "2>1>3>4")]
    votes = votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), "poll") for seats, outcome in texts])
    found = settled("joint", votes)
    assert (found.state, set(found.rows), set(found.left_out)) == ("ok", {"a", "b"}, {"c", "d", "m", "n"})
