"""The database's own guard of the log survives every migration, and older rows become what they were."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

from arena.votes.casting import cast
from arena.votes.models import Ticket, Vote, VoteExclusion, VoteLog
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db(transaction=True)


def latest() -> list[tuple[str, str]]:
    return MigrationExecutor(connection).loader.graph.leaf_nodes("votes")


@pytest.fixture
def at() -> Callable[[str], None]:
    """Migrate the app to that migration; at the end of the test everything is up to date again."""

    def migrate(name: str) -> None:
        MigrationExecutor(connection).migrate([("votes", name)])

    yield migrate
    MigrationExecutor(connection).migrate(latest())


def test_the_guard_stands_after_all_migrations() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'votes_vote' ORDER BY 1"
            )
        else:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'votes_vote'::regclass AND NOT tgisinternal ORDER BY 1"
            )
        assert cursor.fetchall() == [("votes_vote_append_only",), ("votes_vote_undeletable",)]


def test_the_guard_can_be_taken_away_and_put_back(voter, ticket_of, at) -> None:
    vote = cast(ticket_of(ready_poll("duel", contestants=2), voter).token, "1", voter)
    at("0001_initial")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE votes_vote SET outcome = '2'")
    at(latest()[0][1])
    assert Vote.objects.get().outcome == "2"
    with pytest.raises(IntegrityError, match="append-only"):
        Vote.objects.update(outcome="1")
    assert VoteLog.objects.get().length == vote.number == 1


def test_older_votes_are_revealed_and_older_exclusions_are_by_hand(voter, ticket_of, at) -> None:
    poll = ready_poll("duel", contestants=3)
    vote = cast(ticket_of(poll, voter).token, "1", voter)
    waiting = ticket_of(poll, voter)
    at("0002_append_only")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO votes_voteexclusion (vote_id, reason, created_at) VALUES (%s, 'why', %s)",
            [vote.pk, vote.created_at],
        )
    at(latest()[0][1])
    row = VoteExclusion.objects.get()
    assert (row.state, row.rule, row.reason) == ("excluded", "by-hand", "why")
    assert Ticket.objects.get(pk=vote.ticket_id).revealed_at == vote.created_at
    assert Ticket.objects.get(pk=waiting.pk).revealed_at is None
