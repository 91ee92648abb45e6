"""Votes taken apart into choices."""

from itertools import combinations, permutations

import numpy as np
import pytest

from rating.errors import StateError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.stages import Stages, Ties, stages, term_names
from rating.votes import Votes, votes_of


def games(*texts: str, poll: str = "p") -> Votes:
    """Votes written as "ab 1": seats by one letter each, then the outcome."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), poll) for seats, outcome in pairs])


def taken_apart(votes: Votes, ties: Ties = "davidson", left_seat: bool = False) -> list[Stages]:
    n = len(votes.contestants)
    terms = {name: n + at for at, name in enumerate(term_names(votes, votes.counted, ties, left_seat))}
    return stages(votes, votes.counted, np.arange(n), terms, ties)[0]


def said(votes: Votes, ties: Ties = "davidson", left_seat: bool = False) -> set[tuple[int, str, str, float]]:
    """(vote, available, chosen, share) of every stage, by letters."""
    found = set()
    for batch in taken_apart(votes, ties, left_seat):
        size = batch.members.shape[1]
        for vote, members, chosen in zip(batch.vote, batch.members, batch.chosen, strict=True):
            names = [votes.contestants[code] for code in members]
            part = batch.design[chosen, :size] > 0
            among = "".join(np.array(names)[part])
            found.add((int(vote), "".join(names), among, batch.share))
    return found


def test_a_ranking_is_chosen_from_the_top() -> None:
    assert said(games("dbca 2>4>1>3")) == {(0, "abcd", "b", 1), (0, "acd", "a", 1), (0, "cd", "d", 1)}


def test_a_tie_is_chosen_at_once_and_the_last_alone_is_no_choice() -> None:
    votes = games("abcd 2=4>1>3", "abcd 1>2=3=4", "abcd 1=2=3=4", "abcd 3>1=2>4")
    assert said(votes) == {
        *((0, "abcd", "bd", 1), (0, "ac", "a", 1)),
        *((1, "abcd", "a", 1), (1, "bcd", "bcd", 1)),
        (2, "abcd", "abcd", 1),
        *((3, "abcd", "c", 1), (3, "abd", "ab", 1)),
    }


def test_a_pick_is_one_choice_among_singles_even_where_rankings_tie() -> None:
    votes = games("abcd 3", "abcd 1=2>3>4")
    assert said(votes) == {(0, "abcd", "c", 1), (1, "abcd", "ab", 1), (1, "cd", "c", 1)}
    assert sorted(len(batch.design) for batch in taken_apart(votes)) == [2 + 1, 4, 4 + 6]


def test_a_picked_duel_could_have_been_a_draw_where_others_were() -> None:
    (batch,) = taken_apart(games("ab 1", "ba 1=2", "ba 1"))
    assert len(batch.design) == 3
    assert said(games("ab 1", "ba 1=2")) == {(0, "ab", "a", 1), (1, "ab", "ab", 1)}
    (batch,) = taken_apart(games("ab 1", "ba 1"))
    assert len(batch.design) == 2


def test_draws_as_half_a_win_each() -> None:
    assert said(games("ab 1", "ab 1=2"), "half") == {(0, "ab", "a", 1), (1, "ab", "a", 0.5), (1, "ab", "b", 0.5)}


def test_draws_under_rao_kupper_are_two_wins_and_a_factor() -> None:
    votes = games("ab 1", "ba 1", "ab 1=2")
    batches, draws = stages(votes, votes.counted, np.arange(2), {"margin:p": 2, "left:p": 3}, "rao-kupper")
    assert [(drawn.vote.tolist(), drawn.margin) for drawn in draws] == [([2], 2)]
    rows = {
        (int(vote), *members.tolist(), *(batch.design[0] - batch.design[1]).tolist())
        for batch in batches
        for vote, members in zip(batch.vote, batch.members, strict=True)
    }
    # (vote, winner, loser, then their coefficients, that of the margin and that of the left seat)
    assert rows == {(0, 0, 1, 1, -1, -1, 1), (1, 1, 0, 1, -1, -1, 1), (2, 0, 1, 1, -1, -1, 1), (2, 1, 0, 1, -1, -1, -1)}


def test_the_first_seat_stays_in_front_and_others_are_sorted() -> None:
    votes = games("cdba 1>2>3>4", "cadb 2>1>3>4")
    assert said(votes, left_seat=True) == {
        *((0, "cabd", "c", 1), (0, "abd", "d", 1), (0, "ab", "b", 1)),
        *((1, "cabd", "a", 1), (1, "cbd", "c", 1), (1, "bd", "d", 1)),
    }
    bonus = {(len(batch.members[0]), len(batch.terms)) for batch in taken_apart(votes, left_seat=True)}
    assert bonus == {(4, 1), (3, 0), (3, 1), (2, 0)}


@pytest.mark.parametrize("sizes", [(2,), (2, 3), (3,), (2, 3, 4, 5)])
def test_every_set_has_its_row_of_the_design(sizes: tuple[int, ...]) -> None:
    names = "abcde"
    # One vote for every set that may be chosen first, the others behind it in some order without ties.
    sets = [chosen for t in (1, *sizes) for chosen in combinations(range(1, 6), t)]
    texts = []
    for chosen in sets:
        rest = [str(seat) for seat in range(1, 6) if seat not in chosen]
        texts.append(f"{names} " + ">".join(["=".join(map(str, chosen)), *rest]))
    first = next(batch for batch in taken_apart(games(*texts)) if batch.members.shape[1] == 5)
    assert sorted(first.chosen.tolist()) == list(range(len(first.design))) == list(range(len(sets)))
    for chosen, row in zip(sets, first.design[first.chosen], strict=True):
        expected = np.zeros(5 + len(sizes))
        expected[[seat - 1 for seat in chosen]] = 1 / len(chosen)
        if len(chosen) > 1:
            expected[5 + sizes.index(len(chosen))] = 1
        np.testing.assert_array_equal(row, expected)


def test_seats_of_one_set_look_alike_without_a_bonus() -> None:
    texts = ["".join(seats) + f" {seats.index('b') + 1}" for seats in permutations("abcd")]
    (batch,) = taken_apart(games(*texts))
    assert set(map(tuple, batch.members.tolist())) == {(0, 1, 2, 3)}
    assert set(batch.chosen.tolist()) == {1}


def test_an_outcome_that_no_term_provides_for_is_marked() -> None:
    votes = games("abcd 1=2>3>4", "abcd 1>2=3=4", "ab 1=2")
    batches, _ = stages(votes, votes.counted, np.arange(4), {}, "davidson")
    assert sorted(int(vote) for batch in batches for vote in batch.vote[batch.chosen < 0]) == [0, 1, 2]


def test_votes_left_out_have_no_stage_and_no_term() -> None:
    votes = games("ab 1", "ab 1=2", "ba 1")
    counted = np.array([True, False, True])
    assert term_names(votes, counted, "davidson", True) == ["left:p"]
    batches, _ = stages(votes, counted, np.arange(2), {}, "davidson")
    assert [batch.vote.tolist() for batch in batches] == [[0, 2]]


def test_ties_of_many_seats_are_refused_with_their_number() -> None:
    names = "abcdefghijklmnopqrst"
    tied = names + " " + "=".join(map(str, range(1, 11))) + ">" + "=".join(map(str, range(11, 21)))
    with pytest.raises(StateError, match="184,776 ways"):
        taken_apart(games(tied))
