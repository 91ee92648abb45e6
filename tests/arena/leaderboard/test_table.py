"""The rows of a board, and its head."""

from datetime import UTC, datetime
from math import hypot, log10

import pytest
from django.utils import timezone

from arena.leaderboard.table import board
from arena.votes.models import VoteExclusion, Voter
from rating.registry import SYSTEMS


def test_contestants_that_the_votes_cannot_tell_apart_share_their_ranks(log) -> None:
    for name in ("b", "c"):
        log.vote("duel", f"a {name}", "1")
    assert [(row.rank, row.rank_high) for row in board("trueskill").rows] == [(1, 3)] * 3


@pytest.mark.parametrize("metric", sorted(set(SYSTEMS) - {"elo-twa"}))
def test_many_voters_who_agree_separate_the_ranks(log, metric: str) -> None:
    for number in range(120):
        voter = Voter.objects.create()
        log.vote("duel", "a b", "2" if number % 12 == 0 else "1", voter=voter)
        log.vote("duel", "c b", "1" if number % 12 == 1 else "2", voter=voter)
    found = board(metric)
    rows = {row.contestant: row for row in found.rows}
    assert [rows[name].rank for name in ("a epoch 0", "b epoch 0", "c epoch 0")] == [1, 2, 3]
    assert [row.rank_high for row in found.rows] == [1, 2, 3]
    assert [row.best_probability > 0.99 for row in found.rows] == [True, False, False]
    assert sum(row.best_probability for row in found.rows) == pytest.approx(1)
    assert (found.head.pairs, found.head.decided_pairs, found.head.voters) == (3, 3, 120)
    assert found.head.votes_per_decided_pair == 80
    assert all(row.low < (row.value if row.mu is None else row.mu) < row.high for row in found.rows)


def test_the_order_free_board_is_the_maximum_of_the_likelihood(log) -> None:
    for outcome in "1112":
        log.vote("duel", "a b", outcome)
        log.vote("duel", "b a", "2" if outcome == "1" else "1")
    first, second = board("joint").rows
    # 6 of 8 won: odds 3 to 1, whatever the seat.
    assert first.value - second.value == pytest.approx(400 * log10(3), abs=1e-6)
    assert first.value + second.value == pytest.approx(3000, abs=1e-6)


def test_the_win_rate_is_points_by_comparisons(log) -> None:
    log.vote("ffa", "a b c d", "1")
    log.vote("fixed", "a b", "1=2")
    rows = {row.contestant[0]: row.value for row in board("winrate").rows}
    # a: 3 wins and half of one in 4; b: half in 2; the others lost one; half a win and half a loss beforehand.
    assert rows == pytest.approx({"a": 100 * 4 / 5, "b": 100 * 1 / 3, "c": 100 * 0.5 / 2, "d": 100 * 0.5 / 2})


def test_the_interval_of_a_share_is_one_of_shares(log) -> None:
    log.vote("duel", "a b", "1")
    assert [(row.low, row.high) for row in board("winrate").rows] == [(0.0, 100.0)] * 2


def test_the_head_tells_how_often_the_left_seat_won(log) -> None:
    for outcome in ("1", "1", "2", "bad"):
        log.vote("duel", "a b", outcome)
    log.vote("ffa", "a b c d", "3")
    log.vote("ffa", "a b c d", "2>1=4>3")
    log.vote("ffa", "a b c d", "1=3>2=4")
    duel, ffa = board("elo").head.position_bias
    assert (duel.poll, duel.wins, duel.votes, duel.share) == ("duel", [2, 1], 3, pytest.approx(2 / 3))
    # Wilson's interval of 2 in 3.
    assert (duel.low, duel.high, duel.even) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4), True)
    assert (ffa.wins, ffa.seats) == ([0, 1, 1, 0], 4)


def test_rows_carry_lineage_licence_and_exposure(log) -> None:
    base, first, second = (log.contestant(name) for name in ("run:0", "run:1", "run:2"))
    for one, parent in ((first, base), (second, first)):
        one.checkpoint.parent, one.checkpoint.licence = parent.checkpoint, "CC BY 4.0"
        one.checkpoint.save()
    second.enrolments.filter(poll__kind="duel").update(appearances=7)
    second.enrolments.filter(poll__kind="ffa").update(appearances=2)
    log.vote("duel", "run:2 run:1", "1")
    row = next(row for row in board("elo").rows if row.contestant_id == second.pk)
    assert (row.lineage, row.licence, row.exposure) == (["run epoch 0", "run epoch 1"], "CC BY 4.0", 9)
    assert next(row for row in board("elo", "duel").rows if row.contestant_id == second.pk).exposure == 7


def test_elo_rows_by_hand(log) -> None:
    log.vote("ffa", "a b c d", "2")
    found = board("elo", "ffa", now=datetime(2024, 5, 1, tzinfo=UTC))
    assert found.head.generated_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert [row.contestant for row in found.rows] == ["b epoch 0", "a epoch 0", "c epoch 0", "d epoch 0"]
    assert [row.value for row in found.rows] == pytest.approx([1516, 1500 - 16 / 3, 1500 - 16 / 3, 1500 - 16 / 3])
    assert [(row.wins, row.losses, row.draws) for row in found.rows] == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0)]
    assert all(row.mu is None and row.low < row.value < row.high for row in found.rows)


def test_trueskill_rows_carry_the_conservative_score_and_the_interval(log) -> None:
    log.vote("duel", "a b", "1")
    first, second = board("trueskill").rows
    assert (first.mu, first.sigma) == pytest.approx((29.2052, 7.19448), abs=1e-4)
    assert first.value == pytest.approx(29.2052 - 3 * 7.19448, abs=1e-3)
    # One vote of one voter: two degrees of freedom, the fewest, take the place of the normal law.
    assert first.low == pytest.approx(29.2052 - (first.high - 29.2052), abs=1e-3)
    assert first.high > 29.2052 + 1.96 * 7.19448
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
    assert last.change_error == pytest.approx(
        hypot(last.high - last.mu, rows["run epoch 1"].high - rows["run epoch 1"].mu)
    )
    assert rows["run epoch 1"].change is None
    assert rows["other epoch 2"].change is None
    elo = {row.contestant: row for row in board("elo").rows}
    assert elo["run epoch 3"].change == pytest.approx(elo["run epoch 3"].value - elo["run epoch 1"].value)
    assert elo["run epoch 3"].change_error > 0


def test_a_board_takes_few_queries_however_many_contestants(log, django_assert_max_num_queries) -> None:
    for name in "bcdefgh":
        log.vote("duel", f"a {name}", "1")
    board("trueskill")
    with django_assert_max_num_queries(10):
        assert len(board("trueskill").rows) == 8
