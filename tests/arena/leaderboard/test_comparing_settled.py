"""Comparisons on large boards: the settlement answers, and says how many votes came since."""

import pytest
from django.utils import timezone

from arena.leaderboard import basis, replay
from arena.leaderboard.comparing import Comparing, compare_pair, compare_with
from arena.leaderboard.log import Slice
from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import refresh
from tests.arena.leaderboard.test_comparing import duels


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every board counts as one that a look does not settle."""
    for module in (replay, basis):
        monkeypatch.setattr(module, "SETTLED_AT_ONCE", 0)


def pair(log, *, seconds: float | None = 0.0, **options: object) -> Comparing:
    return compare_pair(log.contestants["run:1"], log.contestants["run:2"], Slice(), seconds=seconds, **options)


def test_the_settlement_gives_what_reading_all_votes_gives(log) -> None:
    duels(log, "run:1", "run:2", a_wins=3, b_wins=5)
    duels(log, "run:2", "base", a_wins=2, b_wins=2)
    duels(log, "base", "weak", a_wins=2, b_wins=0)
    log.vote("ffa", "base run:2 run:1 other", "2")
    log.exclude(log.vote("duel", "run:1 run:2", "1"))
    settled, read = pair(log, seconds=None), pair(log, as_of=timezone.now())
    assert settled.run is not None
    assert read.run is None
    assert settled.rows == read.rows
    assert (settled.counted, settled.set_aside, settled.behind) == (read.counted, read.set_aside, 0) == (24, 5, 0)
    both = [log.contestants["run:2"], log.contestants["weak"]]
    told = compare_with(log.contestants["run:1"], both, Slice(), seconds=0.0)
    assert (told.state, told.waiting) == ("ok", ["weak epoch 0"])
    assert told.rows == compare_with(log.contestants["run:1"], both, Slice(), as_of=timezone.now()).rows


def test_a_page_answers_with_the_last_settlement_and_a_command_with_all_votes(log) -> None:
    duels(log, "run:1", "run:2", a_wins=3, b_wins=5)
    before = pair(log, seconds=None)
    duels(log, "run:1", "run:2", a_wins=0, b_wins=2)
    found = pair(log)
    assert (found.counted, found.behind, found.rows) == (16, 4, before.rows)
    assert (found.rows[0]["a_wins"], found.rows[0]["b_wins"]) == (6, 10)
    after = pair(log, seconds=None)
    assert (after.counted, after.behind) == (20, 0)
    assert after.rows[0]["b_wins"] == 14


def test_what_no_settlement_holds_yet_is_asked_of_the_worker(log, client) -> None:
    duels(log, "run:1", "run:2", a_wins=3, b_wins=5)
    assert pair(log).state == "unsettled"
    assert RatingRun.objects.get().claimed_at is None
    answer = client.get("/compare/", {"a": "run epoch 1", "b": "run epoch 2"})
    assert "the votes are still being counted" in answer.content.decode()
    assert RatingRun.objects.get(metric="joint").claimed_at is not None
    refresh("joint")
    log.contestant("run:3")
    assert pair(log).state == "ok"
    newcomer = compare_pair(log.contestants["run:1"], log.contestants["run:3"], Slice(), seconds=0.0)
    assert (newcomer.state, newcomer.message) == ("no-votes", "No counted vote is about run epoch 3 yet.")
