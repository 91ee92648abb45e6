"""Every invariant is broken on purpose, past the arena's own code, and the audit names it."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from arena.gallery.models import Sample
from arena.leaderboard.models import RatingRun
from arena.leaderboard.table import board
from arena.management.commands.audit import INVARIANTS
from arena.management.invariants import FEW
from arena.polls.models import Matchup, Poll
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from generation.matchup import conditions_hash
from tests.arena.tiny import media
from tests.arena.votes.building import ready_poll

__all__ = ["media"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def arena(settings, media) -> Poll:
    """Thirty votes of two voters, a skip among them, one undone, and boards on them."""
    poll = ready_poll("duel", contestants=3, prompts=3, seeds=(1, 2))
    rng = random.Random(3)
    for voter in (Voter.objects.create(), Voter.objects.create()):
        for number in range(15):
            cast(issue_ticket(poll, voter, rng).token, "skip" if number == 4 else rng.choice("12"), voter)
    undone = Vote.objects.get(number=7)
    VoteExclusion.objects.create(vote=undone, rule="undone", reason="undone by the voter")
    again = Ticket.objects.create(voter=undone.ticket.voter, matchup=undone.ticket.matchup)
    cast(again.token, "2", undone.ticket.voter)
    for metric in ("trueskill", "elo"):
        board(metric)
        board(metric, "duel")
    return poll


def audit(*names: str) -> dict[str, dict]:
    """What the command says, by invariant."""
    out = StringIO()
    with suppress(CommandError):
        call_command("audit", *names, "--json", stdout=out)
    return {one["name"]: one for one in json.loads(out.getvalue())["invariants"]}


def sql(statement: str, *values: object) -> None:
    """Past Python and, where it is in the way, past the trigger."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def unguarded(statement: str, *values: object) -> None:
    """Change a vote, as somebody who owns the database can."""
    for trigger in ("votes_vote_append_only", "votes_vote_undeletable"):
        drop = f"DROP TRIGGER IF EXISTS {trigger}"
        sql(drop if connection.vendor == "sqlite" else f"{drop} ON votes_vote")
    sql(statement, *values)


def renumber() -> None:
    unguarded("UPDATE votes_vote SET number = 99 WHERE number = 31")


def lengthen() -> None:
    sql("UPDATE votes_votelog SET length = length + 1")


def orphan() -> None:
    if connection.vendor == "sqlite":
        sql("PRAGMA defer_foreign_keys = ON")
    unguarded("UPDATE votes_vote SET ticket_id = 999999 WHERE number = 3")


def count_both() -> None:
    sql("DELETE FROM votes_voteexclusion")


def misspell() -> None:
    unguarded("UPDATE votes_vote SET outcome = 'left' WHERE number = 2")


def take_a_seat_away() -> None:
    sql("DELETE FROM polls_seat WHERE id = (SELECT MIN(id) FROM polls_seat)")


def other_seed() -> None:
    sql("UPDATE polls_matchup SET seed = 77 WHERE id = (SELECT MIN(id) FROM polls_matchup)")


def other_conditions() -> None:
    """One image of a matchup by another sampler, as its record says too."""
    sample = Matchup.objects.first().seats.last().sample
    sample.manifest["recipe"] |= {"steps": 99}
    sample.conditions = conditions_hash(sample.manifest)
    sample.save()


def retouch_conditions() -> None:
    sql("UPDATE gallery_sample SET conditions = conditions + 1 WHERE conditions IS NOT NULL")


def always_left() -> None:
    """The first contestant on the left wherever it is shown; often enough to matter."""
    poll = Poll.objects.get()
    rng = random.Random(1)
    for _ in range(4):
        voter = Voter.objects.create()
        while ticket := issue_ticket(poll, voter, rng):
            cast(ticket.token, "1", voter)
    first = poll.enrolments.first().contestant_id
    right = [
        seat.matchup_id for ticket in Ticket.objects.all() for seat in ticket.matchup.seats.all()
        if seat.position == 2 and seat.sample.contestant_id == first
    ]  # fmt: skip
    for matchup in set(right):
        sql("UPDATE polls_seat SET position = 4 WHERE matchup_id = %s AND position = 1", matchup)
        sql("UPDATE polls_seat SET position = 1 WHERE matchup_id = %s AND position = 2", matchup)
        sql("UPDATE polls_seat SET position = 2 WHERE matchup_id = %s AND position = 4", matchup)


def miscount() -> None:
    sql("UPDATE polls_enrolment SET appearances = appearances + 1 WHERE id = (SELECT MIN(id) FROM polls_enrolment)")


def pass_a_ticket_on() -> None:
    sql("UPDATE votes_ticket SET voter_id = %s WHERE id = (SELECT MAX(id) FROM votes_ticket)", Voter.objects.last().pk)


def revoke_without_rows() -> None:
    sql("UPDATE votes_voter SET revoked_at = %s WHERE id = (SELECT MIN(id) FROM votes_voter)", timezone.now())


def rows_without_revocation() -> None:
    sql("UPDATE votes_voteexclusion SET rule = 'revoked'")


def mix() -> None:
    sql("UPDATE votes_voter SET preference = 'whatever' WHERE id = (SELECT MIN(id) FROM votes_voter)")


def unguard() -> None:
    unguarded("SELECT 1")


def lose_an_image() -> None:
    default_storage.delete(Sample.objects.first().blind.name)


def retouch_a_standing() -> None:
    sql("UPDATE leaderboard_standing SET value = value + 1e-13 * ABS(value) + 1e-13 WHERE rank = 1")


def retouch_a_state() -> None:
    run = RatingRun.objects.first()
    run.state["bad"] += 1
    run.save()


def retouch_a_vote() -> None:
    unguarded("UPDATE votes_vote SET outcome = CASE outcome WHEN '1' THEN '2' ELSE '1' END WHERE number = 9")


def claim_votes() -> None:
    sql("UPDATE leaderboard_standing SET votes = 500")


def run_ahead() -> None:
    sql("UPDATE leaderboard_ratingrun SET through = 500")


BREAKS: list[tuple[str, Callable[[], None], str]] = [
    ("log-without-gaps", renumber, "31 votes are numbered from 1 to 99"),
    ("log-without-gaps", lengthen, "says that it has 32 votes"),
    ("answers-are-votes", orphan, "vote 3 has no ticket"),
    ("one-vote-counts", count_both, "2 votes of matchup"),
    ("outcomes-are-answers", misspell, "vote 2 in duel says 'left'"),
    ("matchups-are-fair", take_a_seat_away, "has 1 seats"),
    ("matchups-are-fair", other_seed, "another prompt or seed"),
    ("conditions-are-equal", other_conditions, "unequal conditions: sides 1 and 2 differ in recipe.steps"),
    ("conditions-are-equal", retouch_conditions, "are not those of its manifest"),
    ("seats-are-balanced", always_left, "times in seat 1: +"),
    ("appearances-are-seats", miscount, "appearances on record"),
    ("tickets-stay", pass_a_ticket_on, "was handed to 2 voters"),
    ("revoked-do-not-count", revoke_without_rows, "who is revoked, count"),
    ("revoked-do-not-count", rows_without_revocation, "excluded as revoked"),
    ("populations-apart", mix, "neither clearly"),
    ("log-is-guarded", unguard, "votes_vote_append_only is missing"),
    ("images-are-there", lose_an_image, "is not in the store"),
    ("standings-are-replay", retouch_a_standing, "not those of its state"),
    ("standings-are-replay", retouch_a_state, "state is not what the replay"),
    ("standings-are-replay", retouch_a_vote, "log_sha256 is not what the replay"),
    ("standings-have-votes", claim_votes, "has 500 votes"),
    ("standings-have-votes", run_ahead, "folded 500 votes, the log has 31"),
]


def test_a_healthy_arena_passes(arena) -> None:
    found = audit()
    assert list(found) == [invariant.name for invariant in INVARIANTS]
    assert [one for one in found.values() if one["violations"]] == []


@pytest.mark.parametrize(("name", "damage", "sentence"), BREAKS, ids=lambda part: getattr(part, "__name__", None))
def test_what_is_broken_is_named(arena, name: str, damage: Callable[[], None], sentence: str) -> None:
    damage()
    found = audit(name)[name]
    assert found["violations"] >= 1
    assert any(sentence in example for example in found["examples"]), found["examples"]
    if damage is orphan:
        sql("DELETE FROM votes_vote WHERE ticket_id = 999999")


def test_every_invariant_is_broken_by_some_test() -> None:
    assert {name for name, _, _ in BREAKS} == {invariant.name for invariant in INVARIANTS}


def test_lines_name_what_is_broken_and_the_command_fails(arena) -> None:
    misspell()
    out = StringIO()
    with pytest.raises(CommandError, match=r"broken: .*outcomes-are-answers") as failed:
        call_command("audit", stdout=out)
    assert failed.value.returncode == 1
    assert "BROKEN outcomes-are-answers" in out.getvalue()
    assert "ok     one-vote-counts" in out.getvalue()


def test_an_unknown_invariant_is_named_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="no invariant 'nonsense'; known: log-without-gaps"):
        call_command("audit", "nonsense")


def test_an_empty_arena_passes() -> None:
    assert not any(one["violations"] for one in audit().values())


def test_shuffled_seats_of_few_matchups_are_left_out(arena) -> None:
    assert FEW == 30
    assert audit("seats-are-balanced")["seats-are-balanced"]["violations"] == 0
