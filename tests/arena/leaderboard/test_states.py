"""States in which a board has no numbers."""

import pytest

from arena.leaderboard.models import Standing
from arena.leaderboard.table import Board, board
from rating.registry import SYSTEMS

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))
NUMBERS = ("rank", "rank_high", "value", "low", "high", "mu", "sigma", "average", "order_sd", "best_probability",
           "change", "change_error")  # fmt: skip


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
    assert joined.head.groups == [5]
    # Nobody of the first three ever lost to anybody outside: the likelihood alone has no finite distance for that.
    assert joined.head.state == ("separated" if metric == "joint" else "ok")
    assert without_numbers(joined) is (metric == "joint")


def test_a_poll_can_be_disconnected_while_all_polls_together_are_not(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "c d", "1")
    log.vote("fixed", "b c", "1")
    assert board("elo", "duel").head.state == "disconnected"
    assert board("elo").head.state == "ok"
