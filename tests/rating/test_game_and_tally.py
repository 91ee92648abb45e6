"""Games refuse what compares nobody; tallies and groups need no rating system."""

import math

import pytest

from rating.errors import GameError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.tally import Tally, count, join
from rating.votes import votes_of


def game(seats: str, outcome: str, poll: str = "fixed") -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), poll)


def test_nobody_competes_with_itself() -> None:
    with pytest.raises(GameError, match="contestant a is seated twice"):
        game("aa", "1")


@pytest.mark.parametrize("outcome", ["bad", "skip"])
def test_outcomes_that_do_not_count_make_no_game(outcome: str) -> None:
    with pytest.raises(GameError, match=outcome):
        game("ab", outcome)


def test_ranks_must_fit_the_seats() -> None:
    with pytest.raises(GameError, match="4 ranks for 2 seats"):
        Game(("a", "b"), parse_outcome("1", 4), "ffa")


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_a_time_must_be_a_number(time: float) -> None:
    with pytest.raises(GameError, match=f"time is {time}"):
        Game(("a", "b"), parse_outcome("1", 2), "fixed", time)


@pytest.mark.parametrize(("seats", "poll"), [(("a", ""), "fixed"), (("a", "b"), "")])
def test_contestants_and_polls_need_a_name(seats: tuple[str, ...], poll: str) -> None:
    with pytest.raises(GameError, match="need a name"):
        Game(seats, parse_outcome("1", 2), poll)


def test_a_shared_first_place_is_a_draw_and_the_rest_lose() -> None:
    tallies = count({}, votes_of([game("ab", "2"), game("ab", "1=2"), game("abcd", "3=1>2>4"), game("abcd", "2")]))
    assert tallies == {
        "a": Tally(wins=0, losses=2, draws=2),
        "b": Tally(wins=2, losses=1, draws=1),
        "c": Tally(wins=0, losses=1, draws=1),
        "d": Tally(wins=0, losses=2, draws=0),
    }
    assert [tallies[name].votes for name in "abcd"] == [4, 4, 2, 2]


def test_counting_leaves_its_argument_alone() -> None:
    before = {"a": Tally(wins=1)}
    count(before, votes_of([game("ab", "1")]))
    assert before == {"a": Tally(wins=1)}


def test_standings_are_provisional_below_ten_votes() -> None:
    assert Tally(wins=5, losses=4).provisional
    assert not Tally(wins=5, losses=4, draws=1).provisional


def test_groups_join_when_their_members_meet() -> None:
    groups = join([], votes_of([game("ab", "1"), game("cd", "1=2"), game("ef", "2"), game("eg", "2")]))
    assert groups == [["e", "f", "g"], ["a", "b"], ["c", "d"]]
    assert join(groups, votes_of([game("ac", "1")])) == [["a", "b", "c", "d"], ["e", "f", "g"]]
    assert join(groups, votes_of([game("bdfg", "1")])) == [["a", "b", "c", "d", "e", "f", "g"]]


def test_groups_do_not_depend_on_the_portions() -> None:
    games = [game(pair, "1") for pair in ("ab", "cd", "de", "fa", "xy", "be")]
    piecewise: list[list[str]] = []
    for one in games:
        piecewise = join(piecewise, votes_of([one]))
    assert piecewise == join([], votes_of(games)) == [["a", "b", "c", "d", "e", "f"], ["x", "y"]]
