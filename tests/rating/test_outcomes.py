"""The grammar of the vote file's outcome column."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.errors import OutcomeError
from rating.outcomes import Kind, Outcome, format_outcome, parse_outcome


@pytest.mark.parametrize(
    ("text", "seats", "outcome"),
    [
        ("2", 2, Outcome("pick", (1, 0))),
        ("2", 4, Outcome("pick", (1, 0, 1, 1))),
        ("1=2", 2, Outcome("draw", (0, 0))),
        ("1=2=3=4", 4, Outcome("draw", (0, 0, 0, 0))),
        ("2>1=4>3", 4, Outcome("ranking", (1, 0, 2, 1))),
        ("1>2", 2, Outcome("ranking", (0, 1))),
        ("bad", 2, Outcome("bad")),
        ("skip", 4, Outcome("skip")),
    ],
)
def test_each_form_is_read(text: str, seats: int, outcome: Outcome) -> None:
    assert parse_outcome(text, seats) == outcome


@pytest.mark.parametrize(
    ("kind", "ranks"),
    [
        ("pick", ()),
        ("pick", (0,)),
        ("pick", (0, 0, 1)),
        ("pick", (1, 1)),
        ("pick", (0, 2)),
        ("draw", (0,)),
        ("draw", (0, 1)),
        ("ranking", (0, 0)),
        ("ranking", (0, 2)),
        ("ranking", (1, 2)),
        ("ranking", (-1, 0, 1)),
        ("bad", (0, 1)),
        ("skip", (0, 0)),
        ("left", (0, 1)),
    ],
)
def test_ranks_must_be_of_their_kind(kind: Kind, ranks: tuple[int, ...]) -> None:
    with pytest.raises(OutcomeError, match=f"'{kind}' with the ranks {re.escape(str(ranks))} is no outcome"):
        Outcome(kind, ranks)


@pytest.mark.parametrize("text", ["bad", "skip"])
def test_bad_and_skip_compare_nobody(text: str) -> None:
    outcome = parse_outcome(text, 4)
    assert not outcome.counts
    assert outcome.ranks == ()


@pytest.mark.parametrize(
    ("text", "seats", "complaint"),
    [
        ("", 2, "expected a seat number, found ''"),
        (" 1", 2, "expected a seat number"),
        ("0", 2, "expected a seat number"),
        ("01", 2, "expected a seat number"),
        ("-1", 2, "expected a seat number"),
        ("1.0", 2, "expected a seat number"),
        ("٢", 2, "expected a seat number"),
        ("２", 2, "expected a seat number"),
        ("1\n", 2, "expected a seat number"),
        ("BAD", 2, "expected a seat number"),
        ("tie", 2, "expected a seat number, found 'tie'"),
        ("1>", 2, "expected a seat number, found ''"),
        (">1", 2, "expected a seat number, found ''"),
        ("1==2", 2, "expected a seat number, found ''"),
        ("1<2", 2, "expected a seat number"),
        ("3", 2, "there is no seat 3, only 1 to 2"),
        ("1=1", 2, "seat 1 is named twice"),
        ("1>2>2>3", 4, "seat 2 is named twice"),
        ("1=2", 4, "seat 3 is missing"),
        ("2>1>4", 4, "seat 3 is missing"),
        ("1", 1, "needs at least two seats"),
        ("9" * 100_000, 2, "expected a seat number"),
    ],
)
def test_anything_else_is_an_error_that_says_why(text: str, seats: int, complaint: str) -> None:
    with pytest.raises(OutcomeError, match=complaint) as caught:
        parse_outcome(text, seats)
    assert len(str(caught.value)) < 250


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[Outcome, int]:
    seats = draw(st.integers(2, 6))
    kind = draw(st.sampled_from(["bad", "skip", "pick", "ranked"]))
    if kind in {"bad", "skip"}:
        return Outcome(kind), seats
    if kind == "pick":
        winner = draw(st.integers(0, seats - 1))
        return Outcome("pick", tuple(int(seat != winner) for seat in range(seats))), seats
    drawn = draw(st.lists(st.integers(0, seats - 1), min_size=seats, max_size=seats))
    ranks = tuple(sorted(set(drawn)).index(rank) for rank in drawn)
    return Outcome("draw" if max(ranks) == 0 else "ranking", ranks), seats


@given(outcomes())
def test_written_and_read_again_it_is_the_same(case: tuple[Outcome, int]) -> None:
    outcome, seats = case
    assert parse_outcome(format_outcome(outcome), seats) == outcome


@given(st.text(alphabet="0123456=>badskip ", max_size=12), st.integers(2, 4))
def test_any_text_is_either_read_or_refused_by_name(text: str, seats: int) -> None:
    try:
        outcome = parse_outcome(text, seats)
    except OutcomeError:
        return
    assert parse_outcome(format_outcome(outcome), seats) == outcome
