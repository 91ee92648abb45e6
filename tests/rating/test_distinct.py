"""Counting equal rows and equal duels once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.distinct import distinct, distinct_duels
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votes import Votes, votes_of


def games(*texts: str) -> Votes:
    """Votes written as "ab 1": seats by one letter each, then the outcome."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), "p") for seats, outcome in pairs])


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1), st.sampled_from([3, 30, 10**9, 2**40]))
def test_rows_are_numbered_in_lexicographic_order(rows: list[tuple[int, ...]], size: int) -> None:
    # The sizes take a table, a sort, and for the last two a renumbering before a product overflows.
    number, example = distinct(list(np.array(rows, dtype=np.intp).T), size)
    expected = sorted(set(rows))
    assert [expected[at] for at in number] == rows
    assert [rows[at] for at in example] == expected


def written(votes: Votes) -> list[tuple[str, str]]:
    return [("".join(game.seats), "".join(map(str, game.outcome.ranks))) for game in votes.games()]


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2, 4, 8, 16, 32, 64])])
def test_equal_duels_become_one_and_keep_their_seats(weights: np.ndarray | None) -> None:
    votes = games("ab 1", "ba 2", "ab 1", "abcd 1", "abcd 1", "ab 1=2", "ab 2")
    merged, weight = distinct_duels(votes, np.array([True] * 6 + [False]), weights)
    each = weights if weights is not None else np.ones(7)
    expected = {("ab", "01"): each[0] + each[2], ("ba", "10"): each[1], ("ab", "00"): each[5]}
    assert dict(zip(written(merged)[:3], weight[:3], strict=True)) == expected
    assert written(merged)[3:] == [("abcd", "0111")] * 2
    assert weight[3:].tolist() == each[3:5].tolist()


def test_nothing_counted_leaves_nothing() -> None:
    votes = games("ab 1", "ab 2")
    merged, weight = distinct_duels(votes, np.zeros(2, dtype=bool), None)
    assert len(merged) == len(weight) == 0
