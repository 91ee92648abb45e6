"""Figures: their numbers are those of the boards and of arithmetic by hand, and the states without numbers."""

import pytest
from django.test import Client

from arena.leaderboard.figures.asking import Ask
from arena.leaderboard.figures.making import made
from arena.leaderboard.table import VOTED, board
from tests.arena.leaderboard.figure_log import records, score


@pytest.mark.parametrize("metric", VOTED)
@pytest.mark.parametrize("poll", ["", "duel"])
def test_ratings_are_the_rows_of_the_board(voted, metric: str, poll: str) -> None:
    rows, found = board(metric, poll or None).rows, made(Ask("ratings", metric, poll))
    same = ("contestant", "run", "epoch", "value", "low", "high", "votes", "provisional")
    assert [{name: row[name] for name in same} for row in records(found)] == [
        {name: getattr(row, name) for name in same} for row in rows
    ]


def test_every_win_is_counted_once(log) -> None:
    """By hand: a beat b twice and lost once, drew with c once; a pick of four says nothing about the losers."""
    for names, outcome in (("a b", "1"), ("b a", "2"), ("a b", "2"), ("a c", "1=2")):
        log.vote("fixed", names, outcome)
    log.vote("ffa", "a b c d", "2")
    found = {(row["contestant"], row["against"]): row for row in records(made(Ask("wins")))}
    totals = {frozenset(pair): row for pair, row in found.items()}
    name = {key: str(log.contestants[key]) for key in "abcd"}

    def met(one: str, other: str) -> tuple[int, int, int]:
        row = totals[frozenset((name[one], name[other]))]
        straight = row["contestant"] == name[one]
        return (row["won"], row["drawn"], row["lost"]) if straight else (row["lost"], row["drawn"], row["won"])

    assert met("a", "b") == (2, 0, 2)
    assert met("a", "c") == (0, 1, 0)
    assert met("b", "d") == (1, 0, 0)
    assert frozenset((name["c"], name["d"])) not in totals


@pytest.mark.parametrize("metric", ["elo", "elo-twa", "trueskill"])
def test_a_history_ends_where_the_board_stands(voted, metric: str) -> None:
    last: dict[str, float] = {}
    for row in records(made(Ask("history", metric))):
        last[row["contestant"]] = row[metric]
    rows = board(metric).rows
    assert last == {row.contestant: row.mu if metric == "trueskill" else row.value for row in rows}


def test_a_trend_is_the_difference_of_the_order_free_board(voted) -> None:
    found = made(Ask("trend", run="run"))
    value = {row.contestant: row.value for row in board("joint").rows}
    rows = records(found)
    assert [row["epoch"] for row in rows] == ["start", "1", "2", "3", "4", "5"]
    for row in rows:
        assert row["gain"] == pytest.approx(value[row["contestant"]] - value["base epoch 0"], abs=1e-6)
    pairs = records(found, 1)
    assert len(pairs) == 15
    for pair in pairs:
        assert pair["low"] < pair["difference"] < pair["high"]
        assert pair["verdict"] == ("better" if pair["low"] > 0 else "worse" if pair["high"] < 0 else "undecided")
        assert (pair["p"] < 0.05) == (pair["verdict"] != "undecided")
    width = {row["epoch"]: row["high"] - row["low"] for row in rows}
    of_pairs = {pair["epoch"]: pair["high"] - pair["low"] for pair in pairs if pair["against"] == "start"}
    assert all(width[epoch] < of_pairs[epoch] for epoch in of_pairs), "five gains need less than fifteen pairs"


def test_who_cannot_be_placed_takes_no_trend_away(voted) -> None:
    """One that lost everything, also in four-way votes, is left out; the others keep their order-free strengths."""
    before = records(made(Ask("trend", run="run")))
    for _ in range(3):
        voted.vote("duel", "run:1 hopeless", "1")
    assert [row["gain"] for row in records(made(Ask("trend", run="run")))] == pytest.approx(
        [row["gain"] for row in before], abs=1e-6
    )
    for _ in range(3):
        voted.vote("ffa", "run:2 run:3 run:1 hopeless", "1")
    assert [row["epoch"] for row in records(made(Ask("trend", run="run")))] == [row["epoch"] for row in before]


def test_ratings_over_votes_need_no_finite_likelihood(log) -> None:
    for _ in range(3):
        log.vote("duel", "a b", "1")
    assert made(Ask("history", "elo")).state == "ok"
    assert made(Ask("agreement", "ccip-difference")).state == "separated"


def test_seats_are_those_of_the_votes(log) -> None:
    for outcome in "1112":
        log.vote("duel", "a b", outcome)
    for outcome in "1234444":
        log.vote("ffa", "a b c d", outcome)
    rows = [
        (row["poll"], row["seat"], row["wins"], row["votes"], row["percent"]) for row in records(made(Ask("seats")))
    ]
    assert rows[:2] == [("duel", 1, 3, 4, 75.0), ("duel", 2, 1, 4, 25.0)]
    assert [row[2] for row in rows[2:]] == [1, 1, 1, 4]


def test_scores_stand_best_first_and_incomplete_ones_last_with_their_notice(client: Client, voted) -> None:
    score(voted.contestants["run:1"], 0.3)
    score(voted.contestants["run:2"], 0.2, missing=1)
    found = made(Ask("ratings", "ccip-difference"))
    assert [(row["epoch"], row["difference"], row["missing"]) for row in records(found)] == [(1, 0.3, 0), (2, 0.2, 1)]
    rows = [row for row in board("ccip").rows if row.value is not None]
    shown = [(row["contestant"], row["difference"], row["low"], row["high"]) for row in records(found)]
    assert shown == [(row.contestant, row.value, row.low, row.high) for row in rows]
    assert [row["epoch"] for row in records(made(Ask("ratings", "ccip-same-rate")))] == [1, 2]
    assert "of tests alone" in client.get("/figures/ratings/?metric=ccip-difference").content.decode()


def test_agreement_names_the_pairs_that_differ(voted) -> None:
    """The metric puts the run in the order of the strengths, but for one that it puts last."""
    strengths = {row.contestant: row.value for row in board("joint").rows}
    order = sorted(voted.contestants.values(), key=lambda one: strengths[str(one)])
    for place, contestant in enumerate(order):
        score(contestant, 0.9 if place == 5 else 0.5 - place / 20)
    found = made(Ask("agreement", "ccip-difference"))
    share, kendall, _ = records(found)
    assert (share["pairs"], share["value"]) == (15, pytest.approx(10 / 15))
    assert kendall["value"] == pytest.approx(5 / 15)
    assert share["low"] is None, "six contestants are too few for an interval"
    contrary = records(found, 2)
    assert len(contrary) == 5
    assert {row["people_prefer"] for row in contrary} == {str(order[5])}
    assert [row["sure"] for row in contrary] == sorted((row["sure"] for row in contrary), reverse=True)


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([], "no-votes"),
        ([("fixed", "run:1 run:2", "1=2")] * 3, "all-draws"),
        ([("duel", "run:1 run:2", "1"), ("duel", "c d", "1")], "disconnected"),
        ([("duel", "run:1 run:2", "1")] * 3, "separated"),
    ],
)
def test_votes_that_allow_no_trend_say_so(log, votes: list[tuple[str, str, str]], state: str) -> None:
    log.contestant("run:1")
    for vote in votes:
        log.vote(*vote)
    found = made(Ask("trend", run="run"))
    assert (found.state, found.draw, bool(found.message)) == (state, None, True)
