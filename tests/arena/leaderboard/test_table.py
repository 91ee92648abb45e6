"""The rows of a board, and the states in which it has no numbers."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from math import hypot, log10

import pytest
from django.utils import timezone

from arena.gallery.models import Character
from arena.leaderboard.drawing import chart
from arena.leaderboard.models import Standing
from arena.leaderboard.table import Board, Row, UnknownBoardError, board
from arena.votes.models import Vote, VoteExclusion, Voter
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


def test_a_slice_counts_its_votes_alone(log) -> None:
    prompts = log.polls["duel"].prompt_set.prompts
    alice = Character.objects.create(name="Alice")
    prompts.create(text="1girl, alice, red hair, nude", character=alice)
    log.vote("duel", "a b", "1")
    log.vote("duel", "a b", "2", prompt=prompts.get(character=alice))
    for cut, value in {
        "": 2, "character=Alice": 1, "tag=red hair": 1, "tag=Red_Hair": 1, "tag=1girl": 2, "content_rating=general": 1,
        "content_rating=questionable": 1, "content_rating=explicit": 0, "resolution=64x64": 2,
    }.items():  # fmt: skip
        found = board("elo", cut=cut)
        assert (found.head.counted, found.head.cut) == (value, cut)
    log.exclude(Vote.objects.get(number=2))
    assert [board("elo", cut=cut).head.excluded for cut in ("character=Alice", "content_rating=general")] == [1, 0]
    assert board("elo", cut="character=Alice").head.state == "no-votes"


def test_a_slice_of_a_size_takes_votes_among_those_alone(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "a c", "1")
    large = log.contestants["c"]
    large.recipe = large.recipe | {"width": 128, "height": 128}
    large.save()
    assert board("elo", cut="resolution=64x64").head.counted == 1
    assert {row.contestant for row in board("elo", cut="resolution=64x64").rows} == {"a epoch 0", "b epoch 0"}
    assert board("elo", cut="resolution=128x128").head.counted == 0


@pytest.mark.parametrize(
    ("cut", "complaint"),
    [
        ("hair=red", r"no slice 'hair=red'; write character=…, tag=…, content_rating=…, resolution=…"),
        ("tag", "no slice 'tag'"),
        ("character=", "no slice 'character='"),
        ("character=Bob", "no character 'Bob'; known: Alice"),
        ("tag=blue", "no tag 'blue'; known: 1girl, duel, ffa, fixed"),
        ("content_rating=rude", "known: general, sensitive, questionable, explicit"),
        ("resolution=1x1", "no resolution '1x1'; known: 64x64"),
    ],
)
def test_an_unknown_slice_names_the_known_ones(log, cut: str, complaint: str) -> None:
    Character.objects.create(name="Alice")
    log.contestant("a")
    with pytest.raises(UnknownBoardError, match=complaint):
        board("elo", cut=cut)


@every_metric
def test_a_board_as_of_a_moment_counts_the_votes_until_then(log, metric: str) -> None:
    for number in range(12):
        log.vote("duel", "a b" if number % 3 else "b a", "1" if number % 4 else "2")
    then = board(metric)
    moment = Vote.objects.get(number=12).created_at
    for _ in range(5):
        log.vote("duel", "a b", "2")
    found = board(metric, as_of=moment)
    assert found.rows == then.rows
    assert found.head.log_sha256 == then.head.log_sha256
    assert (found.head.as_of, found.head.behind) == (moment, 0)
    assert board(metric).head.counted == 17


def test_a_moment_to_come_is_refused(db) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(UnknownBoardError, match=r"2026-01-01 00:01 is still to come; .* until 2026-01-01 00:00"):
        board("elo", as_of=now + timedelta(minutes=1), now=now)


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
    with django_assert_max_num_queries(10):
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
        (40.0, None, "+40.0", "unsure"),
        (None, None, "", "unsure"),
    ],
)
def test_a_gain_is_called_one_only_beyond_its_error(change, error, gain: str, verdict: str) -> None:
    (entry,) = chart([row(change=change, change_error=error)]).entries
    assert (entry.gain, entry.verdict) == (gain, verdict)


def test_the_numbers_of_a_row_are_spelt_once_for_the_page() -> None:
    numbers = {"value": 1.25, "average": 1499.6, "low": 3.04, "high": 4.06, "change": 1.0, "change_error": 0.25}
    given = {**numbers, "epoch": 3, "previous_epoch": 2, "exposure": 40, "lineage": ["a", "b"]}
    (of_mu,) = chart([row(**given, mu=3.55)], 2).entries
    assert (of_mu.value, of_mu.average, of_mu.error) == ("1.25", "1500", "0.25")
    assert of_mu.interval == "3.5 (3.0 to 4.1)"
    assert (of_mu.epoch, of_mu.parent, of_mu.earlier, of_mu.shown) == ("epoch 3", "from b", "on epoch 2", "shown 40×")
    (of_value,) = chart([row(**given)], 2).entries
    assert of_value.interval == "3.04 to 4.06"
    (blank,) = chart([row(lineage=[])]).entries
    assert (blank.value, blank.average, blank.error, blank.parent, blank.earlier) == ("", "", "", "", "")
    assert blank.interval == "not measured yet"
