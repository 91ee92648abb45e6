"""Elo, against arithmetic by hand."""

import numpy as np
import pytest

from rating.elo import EloSystem, expected
from rating.game import Game
from rating.order import milestone, order_sd
from rating.outcomes import parse_outcome
from rating.votes import votes_of


def game(seats: str, outcome: str) -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), "ffa")


def fold(*games: Game, k: float = 32.0) -> dict[str, float]:
    system = EloSystem(k=k)
    return system.fold(system.start(), votes_of(games))["ratings"]


def test_equals_exchange_half_a_step() -> None:
    assert fold(game("ab", "1")) == {"a": 1516.0, "b": 1484.0}


def test_400_points_expect_ten_to_one() -> None:
    assert expected(1900.0, 1500.0) == pytest.approx(10 / 11, abs=1e-15)
    assert expected(1500.0, 1900.0) == pytest.approx(1 / 11, abs=1e-15)


def test_expectation_holds_for_any_gap() -> None:
    assert expected(1e6, 0.0) == 1.0
    assert expected(0.0, 1e6) == 0.0


def test_a_draw_moves_points_to_the_weaker() -> None:
    # After a's win 1516:1484; expected 1 / (1 + 10^(-32/400)) = 1 / 1.8317638 = 0.5459219, and 32 * 0.0459219.
    ratings = fold(game("ab", "1"), game("ab", "1=2"))
    assert ratings["a"] == pytest.approx(1516 - 1.4695015, abs=1e-6)
    assert ratings["b"] == pytest.approx(1484 + 1.4695015, abs=1e-6)


def test_picking_the_best_of_four_compares_the_losers_with_nobody() -> None:
    # Three pairs at 32 / 3 each, all between equals: the winner takes half of that from each loser.
    ratings = fold(game("abcd", "2"))
    assert ratings == pytest.approx({"b": 1516.0, "a": 1500 - 16 / 3, "c": 1500 - 16 / 3, "d": 1500 - 16 / 3})


def test_losers_of_a_pick_keep_their_distance_where_a_draw_would_not() -> None:
    start = [game("ab", "1")] * 5
    before, after = fold(*start), fold(*start, game("abcd", "3"))
    own = {name: 32 / 3 * (0 - expected(before.get(name, 1500.0), 1500.0)) for name in "abd"}
    assert after["a"] == pytest.approx(before["a"] + own["a"])
    assert after["b"] == pytest.approx(before["b"] + own["b"])
    tied = fold(*start, game("abcd", "3>1=2=4"))
    assert tied["a"] < after["a"] - 1


def test_a_full_ranking_is_its_six_pairs() -> None:
    # First: three wins at 32/3 * 0.5 = 16; second: two wins, one loss = 16/3; and mirrored.
    ratings = fold(game("abcd", "4>2>1>3"))
    assert ratings == pytest.approx({"d": 1516, "b": 1500 + 16 / 3, "a": 1500 - 16 / 3, "c": 1484})


def test_k_and_the_first_rating_are_explicit() -> None:
    assert fold(game("ab", "1"), k=4) == {"a": 1502.0, "b": 1498.0}
    system = EloSystem(k=16, initial=1000)
    assert system.fold(system.start(), votes_of([game("ab", "2")]))["ratings"] == {"a": 992.0, "b": 1008.0}
    assert system.methodology == "elo/2 k=16 initial=1000 average=half of votes"


def test_order_sd_of_two_votes_is_arithmetic() -> None:
    # a beats b and b beats a: whoever wins last ends above.
    games = [game("ab", "1"), game("ab", "2")]
    ends = [fold(*games)["a"], fold(*games[::-1])["a"]]
    assert ends[1] - ends[0] == pytest.approx(2 * (16 * (1 - 2 * (1 - expected(1516, 1484)))), abs=1e-9)
    spread = order_sd(EloSystem(), votes_of(games), rng=np.random.default_rng(0))
    assert set(spread) == {"a", "b"}
    # 100 fair coin tosses between two ends that lie d apart have sd close to d / 2.
    assert spread["a"] == pytest.approx((ends[1] - ends[0]) / 2, rel=0.05)


def test_order_does_not_matter_where_it_cannot() -> None:
    assert order_sd(EloSystem(), votes_of([game("ab", "1")] * 5), rng=np.random.default_rng(0)) == {"a": 0.0, "b": 0.0}


def test_order_sd_repeats_with_its_seed() -> None:
    games = [game("ab", "1"), game("bc", "2"), game("ca", "1"), game("ab", "1=2")]
    first, second = (order_sd(EloSystem(), votes_of(games), rng=np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_milestones_are_few_and_depend_on_the_count_alone() -> None:
    assert [milestone(votes) for votes in (0, 1, 31, 32, 33, 34, 1023, 1024, 1087, 1088)] == [
        0, 1, 31, 32, 32, 34, 992, 1024, 1024, 1088,
    ]  # fmt: skip
    assert len({milestone(votes) for votes in range(1001)}) < 120
