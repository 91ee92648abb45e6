"""The rows of a board, and the states in which it has no numbers."""

from dataclasses import fields
from datetime import UTC, datetime
from math import sqrt

import pytest
from django.utils import timezone

from arena.leaderboard.drawing import chart
from arena.leaderboard.models import Standing
from arena.leaderboard.table import Board, Row, UnknownBoardError, board
from arena.votes.models import VoteExclusion
from rating.registry import SYSTEMS

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))
NUMBERS = ("rank", "value", "low", "high", "mu", "sigma", "average", "order_sd", "change", "change_error")


def without_numbers(found: Board) -> bool:
    return all(getattr(row, name) is None for row in found.rows for name in NUMBERS)


@every_metric
def test_no_votes_is_a_state(log, metric: str) -> None:
    log.contestant("a")
    found = board(metric)
    assert found.head.state == "no-votes"
    assert [(row.contestant, row.votes, row.provisional) for row in found.rows] == [("a epoch 0", 0, True)]
    assert without_numbers(found)


@every_metric
def test_votes_that_rate_nobody_leave_that_state(log, metric: str) -> None:
    log.vote("fixed", "a b", "bad")
    log.vote("fixed", "a b", "skip")
    head = board(metric).head
    assert (head.state, head.counted, head.bad, head.skipped) == ("no-votes", 0, 1, 1)


@every_metric
def test_only_draws_is_a_state(log, metric: str) -> None:
    for _ in range(12):
        log.vote("fixed", "a b", "1=2")
    found = board(metric)
    assert found.head.state == "all-draws"
    assert "All 12 votes" in found.head.message
    assert without_numbers(found)
    assert [(row.votes, row.draws) for row in found.rows] == [(12, 12), (12, 12)]
    assert set(Standing.objects.values_list("rank", "value")) == {(None, None)}


@every_metric
def test_groups_that_never_met_are_a_state_that_names_their_sizes(log, metric: str) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "b c", "1")
    log.vote("duel", "x y", "1")
    found = board(metric)
    assert found.head.state == "disconnected"
    assert "2 groups of 3 and 2 contestants" in found.head.message
    assert without_numbers(found)
    assert [row.votes for row in found.rows] == [1, 2, 1, 1, 1]
    log.vote("duel", "y a", "2")
    joined = board(metric)
    assert joined.head.state == "ok"
    assert {row.rank for row in joined.rows} == {1, 2, 3, 4, 5}


def test_a_poll_can_be_disconnected_while_all_polls_together_are_not(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "c d", "1")
    log.vote("fixed", "b c", "1")
    assert board("elo", "duel").head.state == "disconnected"
    assert board("elo").head.state == "ok"


def test_elo_rows_by_hand(log) -> None:
    log.vote("ffa", "a b c d", "2")
    found = board("elo", "ffa", now=datetime(2024, 5, 1, tzinfo=UTC))
    assert found.head.generated_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert [(row.rank, row.contestant) for row in found.rows] == [
        (1, "b epoch 0"), (2, "a epoch 0"), (2, "c epoch 0"), (2, "d epoch 0"),
    ]  # fmt: skip
    assert [row.value for row in found.rows] == pytest.approx([1516, 1500 - 16 / 3, 1500 - 16 / 3, 1500 - 16 / 3])
    assert [(row.wins, row.losses, row.draws) for row in found.rows] == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0)]
    assert all(row.low is None and row.mu is None for row in found.rows)


def test_trueskill_rows_carry_the_conservative_score_and_the_interval(log) -> None:
    log.vote("duel", "a b", "1")
    first, second = board("trueskill").rows
    assert (first.mu, first.sigma) == pytest.approx((29.2052, 7.19448), abs=1e-4)
    assert first.value == pytest.approx(29.2052 - 3 * 7.19448, abs=1e-3)
    assert (first.low, first.high) == pytest.approx((29.2052 - 1.96 * 7.19448, 29.2052 + 1.96 * 7.19448), abs=1e-3)
    assert second.value == pytest.approx(20.7948 - 3 * 7.19448, abs=1e-3)


def test_the_head_tells_votes_under_suspicion_from_those_taken_off(log) -> None:
    for outcome in "1212":
        log.vote("duel", "a b", outcome)
    log.exclude(log.vote("duel", "a b", "1"))
    VoteExclusion.objects.create(
        vote=log.vote("duel", "a b", "2"), state=VoteExclusion.State.UNVERIFIED, rule=VoteExclusion.Rule.FAN
    )
    head = board("trueskill").head
    assert (head.counted, head.excluded, head.unverified) == (4, 1, 1)
    assert (board("trueskill", "fixed").head.excluded, board("trueskill", "fixed").head.unverified) == (0, 0)


def test_elo_says_what_the_order_of_the_votes_does(log) -> None:
    for _ in range(4):
        log.vote("duel", "a b", "1")
        log.vote("duel", "a b", "2")
    found = board("elo")
    assert found.head.order_votes == 8
    spreads = [row.order_sd for row in found.rows]
    assert all(spread is not None and 5 < spread < 40 for spread in spreads)
    assert found.head.order_sd == pytest.approx(sum(spreads) / 2)
    assert board("trueskill").head.order_sd is None


def test_elo_shows_its_average_beside_the_last_value_and_elo_twa_ranks_by_it(log) -> None:
    for outcome in "1121":
        log.vote("duel", "a b", outcome)
    # The last half of four votes: what stood after the third and after the fourth.
    after = [1516.0]
    for actual in (1, 0, 1):
        after.append(after[-1] + 32 * (actual - 1 / (1 + 10 ** ((3000 - 2 * after[-1]) / 400))))
    last, averaged = (board(metric).rows for metric in ("elo", "elo-twa"))
    assert [row.value for row in last] == pytest.approx([after[3], 3000 - after[3]])
    mean = (after[2] + after[3]) / 2
    assert [row.average for row in last] == pytest.approx([mean, 3000 - mean])
    assert [row.value for row in averaged] == [row.average for row in last]
    assert {row.average for row in board("trueskill").rows} == {None}
    assert all(row.order_sd is not None for row in averaged)


def test_rows_below_ten_votes_are_provisional(log) -> None:
    for _ in range(9):
        log.vote("duel", "a b", "1")
    assert all(row.provisional for row in board("elo").rows)
    log.vote("duel", "a b", "1")
    assert not any(row.provisional for row in board("elo").rows)


def test_contestants_without_votes_stand_last_and_withdrawn_ones_nowhere(log) -> None:
    log.contestant("waiting")
    log.contestant("gone").enrolments.update(withdrawn_at=timezone.now())
    log.contestant("elsewhere", enrol=["ffa"])
    log.vote("duel", "a b", "1")
    assert [row.contestant for row in board("elo", "duel").rows] == ["a epoch 0", "b epoch 0", "waiting epoch 0"]
    assert {row.contestant for row in board("elo").rows[2:]} == {"waiting epoch 0", "elsewhere epoch 0"}


def test_a_withdrawn_contestant_keeps_its_votes(log) -> None:
    log.vote("duel", "a b", "1")
    log.contestants["b"].enrolments.update(withdrawn_at=timezone.now())
    assert [row.contestant for row in board("elo", "duel").rows] == ["a epoch 0", "b epoch 0"]


def test_an_epoch_is_set_against_the_latest_rated_one_before_it(log) -> None:
    log.contestant("run:2")
    for _ in range(6):
        log.vote("duel", "run:1 run:3", "2")
        log.vote("duel", "other:2 run:1", "1")
    rows = {row.contestant: row for row in board("trueskill").rows}
    last = rows["run epoch 3"]
    assert last.previous_epoch == 1
    assert last.change == pytest.approx(last.mu - rows["run epoch 1"].mu)
    assert last.change_error == pytest.approx(1.96 * sqrt(last.sigma**2 + rows["run epoch 1"].sigma ** 2))
    assert rows["run epoch 1"].change is None
    assert rows["other epoch 2"].change is None
    elo = {row.contestant: row for row in board("elo").rows}
    assert elo["run epoch 3"].change == pytest.approx(elo["run epoch 3"].value - elo["run epoch 1"].value)
    assert elo["run epoch 3"].change_error is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("glicko", None), "no metric 'glicko'; known: trueskill, elo, elo-twa"),
        (("elo", "quartet"), "no poll 'quartet'; known: fixed, duel, ffa"),
        (("elo", ""), "no poll ''; known"),
        (("elo", None, "robots"), "no population 'robots'; known: people, simulated"),
    ],
)
def test_unknown_names_list_the_known_ones(db, arguments: tuple, complaint: str) -> None:
    with pytest.raises(UnknownBoardError, match=complaint):
        board(*arguments)


def test_a_board_takes_few_queries_however_many_contestants(log, django_assert_max_num_queries) -> None:
    for name in "bcdefgh":
        log.vote("duel", f"a {name}", "1")
    board("trueskill")
    with django_assert_max_num_queries(5):
        assert len(board("trueskill").rows) == 8


def row(**changes: object) -> Row:
    plain = {field.name: None for field in fields(Row)} | {"votes": 20, "provisional": False}
    return Row(**(plain | changes))


def test_bars_share_one_axis() -> None:
    drawn = chart([row(value=1.0, mu=20.0, low=10.0, high=30.0), row(value=0.0, mu=5.0, low=0.0, high=10.0), row()])
    assert (drawn.least, drawn.most) == (0.0, 30.0)
    first, second, third = (entry.bar for entry in drawn.entries)
    assert (second.left, first.right) == (4.0, 96.0)
    assert second.right == first.left == pytest.approx(4 + 92 / 3, abs=0.01)
    assert third is None


def test_a_single_value_is_drawn_without_a_width() -> None:
    (entry,) = chart([row(value=1500.0)]).entries
    assert entry.bar.left == entry.bar.dot == entry.bar.right == 4.0


@pytest.mark.parametrize(
    ("change", "error", "gain", "verdict"),
    [
        (3.0, 2.0, "+3.0", "up"),
        (-3.0, 2.0, "\N{MINUS SIGN}3.0", "down"),
        (1.0, 2.0, "+1.0", "unsure"),
        (40.0, None, "+40", "unsure"),
        (None, None, "", "unsure"),
    ],
)
def test_a_gain_is_called_one_only_beyond_its_error(change, error, gain: str, verdict: str) -> None:
    (entry,) = chart([row(change=change, change_error=error)]).entries
    assert (entry.gain, entry.verdict) == (gain, verdict)
