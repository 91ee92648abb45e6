"""The share of comparisons won: by hand, and its interval against simulated voters."""

import numpy as np
import pytest

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.registry import SYSTEMS
from rating.votes import Votes, votes_of
from rating.winrate import winrate_covariance

SYSTEM = SYSTEMS["winrate"]


def game(seats: str, outcome: str, voter: str = "") -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), "poll", voter=voter)


def test_points_and_comparisons_by_hand() -> None:
    state = SYSTEM.fold(SYSTEM.start(), votes_of([game("abcd", "2"), game("abcd", "1>2=3>4"), game("ab", "1=2")]))
    # The pick: b beats a, c, d. The ranking: a beats all, b and c tie, both beat d.
    assert state["points"] == {"a": 3.5, "b": 3 + 1.5 + 0.5, "c": 1.5, "d": 0.0}
    assert state["comparisons"] == {"a": 5.0, "b": 7.0, "c": 4.0, "d": 4.0}
    assert SYSTEM.standings(state)["a"].value == pytest.approx(100 * 4 / 6)


def test_the_covariance_of_two_voters_by_hand() -> None:
    votes = votes_of([game("ab", "1", "v"), game("ab", "1", "v"), game("ab", "2", "w"), game("ab", "1", "w")])
    covariance, _ = winrate_covariance(votes)
    # a: 3 of 4, so 3.5 / 5. Residuals: 2 - .7 * 2 and 1 - .7 * 2, over 5.
    assert covariance[0, 0] == pytest.approx(100**2 * max((0.6**2 + 0.4**2) / 25, 0.7 * 0.3 / 5))
    assert covariance[0, 1] == pytest.approx(-(100**2) * (0.6**2 + 0.4**2) / 25)


def tastes(rng: np.random.Generator, voters: int, each: int) -> Votes:
    """Voters who like a or b, each for good; half of them each."""
    likes = rng.random(voters) < 0.5
    winner = np.where(rng.random((voters, each)) < np.where(likes, 0.8, 0.2)[:, None], 0, 1).ravel()
    ranks = np.stack([winner, 1 - winner], axis=1).astype(np.int16)
    count = voters * each
    zero = np.zeros(count, np.int32)
    return Votes(
        ("a", "b"), ("poll",), ("p",), tuple(f"v{n:03}" for n in range(voters)),
        np.tile(np.array([0, 1], np.int32), (count, 1)), ranks, np.zeros(count, np.int8),
        zero, zero, np.repeat(np.arange(voters, dtype=np.int32), each), np.zeros(count),
    )  # fmt: skip


def test_the_interval_covers_the_truth_where_voters_have_tastes() -> None:
    inside = by_vote = 0
    for seed in range(300):
        votes = tastes(np.random.default_rng(seed), 60, 20)
        value = SYSTEM.standings(SYSTEM.fold(SYSTEM.start(), votes))["a"].value
        inside += abs(value - 50) < 1.96 * np.sqrt(winrate_covariance(votes)[0][0, 0])
        by_vote += abs(value - 50) < 1.96 * np.sqrt(winrate_covariance(votes, "none")[0][0, 0])
    assert 0.90 <= inside / 300 <= 0.98
    assert by_vote / 300 < 0.7
