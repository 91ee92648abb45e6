"""Ratings after more and more votes."""

import numpy as np
import pytest

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.registry import rating_system
from rating.snapshots import snapshots, stops
from rating.votes import votes_of

VOTES = votes_of(
    [Game(tuple(seats), parse_outcome(text, 2), "poll") for seats, text in (("ab", "1"), ("bc", "2"), ("ca", "1=2"))]
)


@pytest.mark.parametrize(
    ("votes", "points", "expected"), [(0, 4, []), (3, 10, [1, 2, 3]), (10, 2, [5, 10]), (1000, 3, [333, 667, 1000])]
)
def test_stops_are_spread_and_end_with_the_last_vote(votes: int, points: int, expected: list[int]) -> None:
    assert stops(votes, points).tolist() == expected


@pytest.mark.parametrize("metric", ["elo", "trueskill"])
def test_each_row_is_the_rating_of_the_votes_so_far(metric: str) -> None:
    system = rating_system(metric)
    found = snapshots(system, VOTES, np.array([1, 3]))
    for row, stop in enumerate((1, 3)):
        expected = system.standings(system.fold(system.start(), VOTES.span(0, stop)))
        named = dict(zip(VOTES.contestants, found[row].tolist(), strict=True))
        assert {name: value for name, value in named.items() if value == value} == {
            name: one.value for name, one in expected.items()
        }


def test_nobody_has_a_number_before_the_first_vote() -> None:
    found = snapshots(rating_system("elo"), VOTES, np.array([1]))
    assert np.isnan(found[0]).tolist() == [False, False, True]
