"""Boards are folds of the log: in portions, after exclusions, at the same time, always what a full replay gives."""

import json
import random
from dataclasses import fields
from hashlib import sha256
from threading import Barrier, Thread

import pytest
from django.db import connection

from arena.leaderboard import archive, replay
from arena.leaderboard.folding import folded, standings
from arena.leaderboard.log import ReplayError, Slice, counted_votes
from arena.leaderboard.models import LogPortion, RatingRun, Standing
from arena.leaderboard.replay import ROW, rebuild, refresh
from arena.votes.models import Vote
from rating.errors import UnknownMetricError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.registry import SYSTEMS
from rating.votes import votes_of

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))
KEPT = ("methodology", "through", "counted", "excluded", "log_sha256", "state", "settled")


def content(run: RatingRun) -> dict[str, object]:
    """Everything stored about a board but when, with its standings; of one that is not stored, what would be."""
    if run.pk is None:
        stored = json.loads(json.dumps({name: getattr(run, name) for name in KEPT}))
        rows = sorted(standings(run), key=lambda row: row.contestant_id)
        return stored | {"rows": [tuple(getattr(row, name) for name in ("contestant_id", *ROW)) for row in rows]}
    stored = RatingRun.objects.get(pk=run.pk)
    rows = Standing.objects.filter(rating_run=run).order_by("contestant_id")
    return {name: getattr(stored, name) for name in KEPT} | {"rows": list(rows.values_list("contestant_id", *ROW))}


def cast(log, votes: int, seed: int = 0, names: str = "a b c d e") -> None:
    """A mixed log of all polls and outcomes."""
    rng = random.Random(seed)
    outcomes = {"fixed": ["1", "2", "1=2", "bad"], "duel": ["1", "2", "skip"], "ffa": ["1", "3", "2>1=4>3", "4>3>2>1"]}
    for _ in range(votes):
        kind = rng.choice(["fixed", "duel", "ffa"])
        seats = rng.sample(names.split(), 4 if kind == "ffa" else 2)
        log.vote(kind, " ".join(seats), rng.choice(outcomes[kind]))


@every_metric
@pytest.mark.parametrize("poll", ["", "fixed", "duel", "ffa"])
def test_folding_as_votes_arrive_equals_a_rebuild_bit_for_bit(log, metric: str, poll: str) -> None:
    for portion in range(5):
        cast(log, 6, seed=portion)
        run = refresh(metric, poll)
    before = content(run)
    assert before["counted"] > 3
    assert content(rebuild(metric, poll)) == before


@every_metric
def test_a_board_is_what_its_rating_system_makes_of_the_counted_votes(log, metric: str) -> None:
    log.vote("fixed", "a b", "1")
    log.vote("duel", "b c", "skip")
    log.vote("fixed", "a c", "bad")
    log.vote("ffa", "c b a d", "3")
    log.vote("fixed", "d a", "1=2")
    run = refresh(metric)
    key = {name: str(contestant.pk) for name, contestant in log.contestants.items()}
    games = [
        Game((key["a"], key["b"]), parse_outcome("1", 2), "fixed"),
        Game((key["c"], key["b"], key["a"], key["d"]), parse_outcome("3", 4), "ffa"),
        Game((key["d"], key["a"]), parse_outcome("1=2", 2), "fixed"),
    ]
    system = SYSTEMS[metric]
    assert folded(run).system == system.fold(system.start(), votes_of(games))
    assert run.counted == 3
    assert (folded(run).bad, folded(run).skipped) == (1, 1)


@every_metric
@pytest.mark.parametrize("outcome", ["bad", "skip"])
def test_bad_and_skip_move_nothing(log, metric: str, outcome: str) -> None:
    cast(log, 10)
    before = content(refresh(metric))
    log.vote("fixed", "a b", outcome)
    after = content(refresh(metric))
    assert after["rows"] == before["rows"]
    assert after["state"]["system"] == before["state"]["system"]
    assert after["log_sha256"] != before["log_sha256"]


def test_nothing_is_written_while_nothing_is_new(log, django_assert_num_queries) -> None:
    cast(log, 10)
    run = refresh("elo")
    when, rows = run.updated_at, list(Standing.objects.values_list("pk", flat=True))
    with django_assert_num_queries(5):
        again = refresh("elo")
    assert again.updated_at == when
    assert list(Standing.objects.values_list("pk", flat=True)) == rows


def test_looking_at_an_empty_board_writes_nothing(log) -> None:
    assert refresh("elo").pk is None
    assert not RatingRun.objects.exists()


@every_metric
def test_an_excluded_vote_leaves_the_board_and_comes_back(log, metric: str) -> None:
    cast(log, 12)
    full = content(refresh(metric))
    exclusion = log.exclude(log.vote("fixed", "a b", "1"))
    without = content(refresh(metric))
    assert without["rows"] == full["rows"]
    assert without["log_sha256"] == full["log_sha256"]
    assert without["state"]["excluded"] == 1
    exclusion.delete()
    back = content(refresh(metric))
    assert back["counted"] == full["counted"] + 1
    assert content(rebuild(metric)) == back


@every_metric
def test_excluding_a_vote_already_folded_replays_without_it(log, metric: str) -> None:
    cast(log, 6, seed=1)
    vote = log.vote("fixed", "a b", "1")
    cast(log, 6, seed=2)
    refresh(metric)
    log.exclude(vote)
    after = content(refresh(metric))
    left = counted_votes(Slice(), leave_out=[vote.number])
    assert len(left) == after["counted"]
    assert after["state"]["system"] == SYSTEMS[metric].fold(SYSTEMS[metric].start(), left)
    assert content(rebuild(metric)) == after


def test_people_and_simulated_voters_are_never_mixed(log) -> None:
    log.vote("duel", "a b", "1")
    before = content(refresh("trueskill"))
    for _ in range(5):
        log.vote("duel", "a b", "2", "simulated")
    assert content(refresh("trueskill")) == before
    simulated = refresh("trueskill", population="simulated")
    assert simulated.counted == 5
    assert simulated.log_sha256 != before["log_sha256"]


def test_a_poll_board_takes_the_votes_of_its_poll_and_the_combined_board_all(log) -> None:
    log.vote("fixed", "a b", "1")
    log.vote("duel", "a b", "1")
    log.vote("ffa", "a b c d", "1")
    assert [refresh("elo", poll).counted for poll in ("fixed", "duel", "ffa", "")] == [1, 1, 1, 3]


@every_metric
def test_portions_make_no_difference(log, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cast(log, 30)
    whole = content(refresh(metric))
    monkeypatch.setattr(archive, "PORTION", 7)
    assert content(rebuild(metric)) == whole
    assert list(LogPortion.objects.values_list("first", "last")) == [(1, 7), (8, 14), (15, 21), (22, 28)]
    assert content(rebuild(metric)) == whole
    assert content(replay.replayed(metric, Slice(), 30, archived=False)) == whole


def test_packed_votes_are_the_rows(log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 10)
    cast(log, 23)
    log.vote("duel", "a b", "1", "simulated")
    for after in (0, 4, 10, 13, 20, 24):
        first, full = archive.read_piece(after)
        again, still = archive.read_piece(after)
        rows = archive.read_rows(after, after // 10 * 10 + 10)
        assert full is still is (after < 20)
        for field in fields(archive.Piece):
            wanted = getattr(rows, field.name)
            assert (getattr(first, field.name) == wanted).all()
            assert (getattr(again, field.name) == wanted).all()
    assert LogPortion.objects.count() == 2


@pytest.mark.parametrize("through", [1, 9, 17, 25])
def test_a_board_of_an_earlier_moment_is_what_was_shown_then(log, through: int, monkeypatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 10)
    cast(log, through)
    then = content(refresh("elo-twa", "duel"))
    cast(log, 12, seed=5)
    refresh("elo-twa", "duel")
    assert content(replay.replayed("elo-twa", Slice("duel"), through)) == then


def test_a_late_vote_taken_off_is_replayed_from_the_last_full_portion(log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 10)
    cast(log, 37)
    refresh("trueskill")
    read = []
    real = replay.read_votes
    monkeypatch.setattr(replay, "read_votes", lambda *given: read.append(given[1]) or real(*given))
    log.exclude(Vote.objects.get(number=35))
    refresh("trueskill")
    assert read[0] == 30
    log.exclude(Vote.objects.get(number=24))
    after = content(refresh("trueskill"))
    assert read[-2:] == [20, 30]
    assert content(rebuild("trueskill")) == after


def test_what_was_shown_stays_until_a_long_replay_has_caught_up(log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 10)
    cast(log, 45)
    before = content(refresh("trueskill"))
    log.exclude(Vote.objects.get(number=3))
    seen = []
    for _ in range(5):
        run = refresh("trueskill", seconds=0.0)
        stored = RatingRun.objects.get()
        seen.append((run.complete, run.counted == before["counted"], (stored.pending or {}).get("through")))
    assert seen[:4] == [(False, True, 10), (False, True, 20), (False, True, 30), (False, True, 40)]
    assert seen[4][0]
    after = content(RatingRun.objects.get())
    assert after["counted"] == before["counted"] - 1
    assert content(rebuild("trueskill")) == after


def test_another_method_replays_the_log(log) -> None:
    cast(log, 10)
    run = refresh("elo")
    RatingRun.objects.update(methodology="elo/0", state={})
    assert content(refresh("elo"))["methodology"] == run.methodology


def test_the_log_hash_can_be_computed_by_hand(log) -> None:
    log.vote("fixed", "a b", "1=2")
    log.vote("duel", "b a", "bad")
    names = {name: f"{name.encode().hex().ljust(64, '0')}/{log.recipe_sha256}" for name in "ab"}
    first = sha256(f"\n1,fixed,{names['a']}|{names['b']},1=2".encode()).hexdigest()
    second = sha256(f"{first}\n2,duel,{names['b']}|{names['a']},bad".encode()).hexdigest()
    assert refresh("elo").log_sha256 == second
    assert refresh("trueskill").log_sha256 == second


@pytest.mark.parametrize(("outcome", "complaint"), [("left", "expected a seat number"), ("1=2", "seat 3 is missing")])
def test_an_unreadable_vote_is_named_and_nothing_is_stored(log, outcome: str, complaint: str) -> None:
    log.vote("ffa", "a b c d", "2")
    broken = log.vote("ffa", "a b c d", outcome)
    with pytest.raises(ReplayError, match=f"vote 2 cannot be rated: .*{complaint}.*VoteExclusion"):
        refresh("elo")
    assert not RatingRun.objects.exists()
    log.exclude(broken)
    assert refresh("elo").counted == 1


def test_an_unknown_metric_is_refused(log) -> None:
    with pytest.raises(UnknownMetricError, match="known: trueskill, elo, elo-twa"):
        refresh("glicko")


@every_metric
def test_a_refresh_overtaken_by_another_folds_no_vote_twice(log, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cast(log, 10)
    refresh(metric)
    cast(log, 5, seed=9)
    real, overtaken = replay.read_votes, []

    def read_and_be_overtaken(*arguments):
        portion = real(*arguments)
        if not overtaken:
            overtaken.append(True)
            refresh(metric)
            cast(log, 3, seed=10)
        return portion

    monkeypatch.setattr(replay, "read_votes", read_and_be_overtaken)
    raced = content(refresh(metric))
    assert raced["through"] == 18
    monkeypatch.undo()
    assert content(rebuild(metric)) == raced


@pytest.mark.django_db(transaction=True)
def test_many_refreshes_at_once_fold_each_vote_once(log) -> None:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads need a database that they can share: run with DATABASE_URL on PostgreSQL")
    cast(log, 40)
    start, failures = Barrier(6), []

    def work() -> None:
        try:
            start.wait()
            refresh("trueskill")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    raced = content(refresh("trueskill"))
    assert raced["state"]["tallies"]
    assert content(rebuild("trueskill")) == raced
