"""Elo, against arithmetic by hand and against evalica on votes of real people."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.elo import EloSystem, _play_duels, _play_large, expected
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votes import Votes, votes_of

GOLDEN = Path(__file__).parents[1] / "data" / "votes" / "evalica_elo.json"


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


@pytest.mark.parametrize("k", [4, 32])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("llmfao", "llmfao_crowd"),
        ("food", "evalica_food"),
        ("simple", "evalica_simple"),
        ("football", "football_1990_3000"),
    ],
)
def test_real_votes_give_what_evalica_gives(real_votes: Callable[[str], Votes], name: str, file: str, k: int) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name][f"k{k}"]
    system = EloSystem(k=k, initial=1000.0)
    ratings = system.fold(system.start(), real_votes(file))["ratings"]
    assert ratings.keys() == golden.keys()
    assert max(abs(ratings[contestant] - golden[contestant]) for contestant in golden) < 1e-9


RATINGS = st.floats(-1e6, 1e6)


@given(one=RATINGS, two=RATINGS, score=st.sampled_from([0, 1]), k=st.floats(0.1, 100))
def test_two_seats_are_a_duel_bit_for_bit(one: float, two: float, score: int, k: float) -> None:
    duel, large = [one, two], [one, two]
    gains = _play_duels(duel, [0], [1], [score * k / 2], k)
    assert _play_large(large, [([0, 1, -1], [0, score, -1], False)], k) == [gains[0], -gains[0]]
    assert duel == large


@given(ratings=st.lists(RATINGS, min_size=2, max_size=9), k=st.floats(0.1, 100))
def test_a_pick_is_the_winner_against_each_loser_bit_for_bit(ratings: list[float], k: float) -> None:
    half, after, changes = k / (len(ratings) - 1) / 2, ratings[:], [0.0] * len(ratings)
    for loser in range(1, len(ratings)):
        gain = half - half * math.tanh(math.log(10.0) / 800.0 * (ratings[0] - ratings[loser]))
        changes[0] += gain
        changes[loser] -= gain
    seats, ranks = [*range(len(ratings)), -1], [0, *[1] * (len(ratings) - 1), -1]
    assert _play_large(after, [(seats, ranks, True)], k) == changes
    assert after == [rating + change for rating, change in zip(ratings, changes, strict=True)]


def test_runs_of_duels_and_larger_votes_may_alternate() -> None:
    rng = random.Random(5)
    log = []
    for _ in range(60):
        seats = "".join(rng.sample("abcdef", rng.choice([2, 2, 3, 4])))
        log.append(game(seats, rng.choice([str(len(seats)), "=".join("1234"[: len(seats)])])))
    ratings = dict.fromkeys("abcdef", 1500.0)
    for one in log:
        step, before = 32 / (len(one.seats) - 1), dict(ratings)
        for better in one.seats:
            for other in one.seats:
                rank, below = (one.outcome.ranks[one.seats.index(name)] for name in (better, other))
                if rank < below or (rank == below and not one.is_pick and better < other):
                    gain = step * ((1.0 if rank < below else 0.5) - expected(before[better], before[other]))
                    ratings[better] += gain
                    ratings[other] -= gain
    assert fold(*log) == pytest.approx(ratings, abs=1e-9)


def test_the_sum_is_kept_however_far_apart() -> None:
    system = EloSystem()
    state = system.fold(system.start(), votes_of([game("ab", "1")]))
    state["ratings"] = {"a": 1e6, "b": -1e6}
    ratings = system.fold(state, votes_of([game("ab", "1"), game("abcd", "2"), game("ab", "1=2")]))["ratings"]
    assert all(math.isfinite(rating) for rating in ratings.values())
    assert math.fsum(ratings.values()) == pytest.approx(3000.0, abs=1e-6)


def test_all_bad_and_skipped_votes_rate_nobody() -> None:
    votes = votes_of([game("ab", "1"), game("cd", "1")])
    votes.kinds[1], votes.ranks[1] = 3, -1
    system = EloSystem()
    assert set(system.standings(system.fold(system.start(), votes))) == {"a", "b"}
    votes.kinds[0], votes.ranks[0] = 4, -1
    assert system.fold(system.start(), votes) == system.start()


def test_blocks_and_the_average_leave_the_ratings_alone(
    real_votes: Callable[[str], Votes], monkeypatch: pytest.MonkeyPatch
) -> None:
    votes, system, bare = real_votes("evalica_food"), EloSystem(), EloSystem(average=None)
    whole = system.fold(system.start(), votes)
    assert bare.fold(bare.start(), votes) == {"ratings": whole["ratings"], "average": None}
    assert {one.average for one in bare.standings(bare.fold(bare.start(), votes)).values()} == {None}
    monkeypatch.setattr("rating.elo.BLOCK", 7)
    assert system.fold(system.start(), votes) == whole
