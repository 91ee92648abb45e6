"""Row locks wait for each other in one order, and never for a foreign key's check at the end of a transaction."""

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.db import connection, transaction

from arena.votes.casting import issue_ticket, show
from arena.votes.models import Ticket
from tests.arena.votes.building import ready_poll
from tests.site import wait_for

ARENA = Path(__file__).resolve().parents[3] / "arena"


def locks(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "select_for_update":
            yield node


def test_no_lock_keeps_others_from_pointing_at_the_row() -> None:
    found = [(path.name, call) for path in ARENA.rglob("*.py") for call in locks(path)]
    assert found
    for name, call in found:
        assert {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}.get("no_key") == "True", name


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_locks"
            " WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_prompt_that_gets_ready_and_a_booth_that_opens_do_not_block_each_other(voter) -> None:
    """The worker holds the contestants' rows and points at the voter; the booth holds the voter and wants those rows.

    PostgreSQL checks foreign keys at the end of a transaction, so the worker asks for the voter last.
    """
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time: run with DATABASE_URL on PostgreSQL")
    poll = ready_poll("duel", contestants=2, prompts=2)
    samples = [seat.sample for seat in issue_ticket(poll, voter, random.Random(1)).matchup.seats.all()]
    Ticket.objects.update(created_at="2026-01-01T00:00Z")
    opened: list[object] = []

    def open_the_booth() -> None:
        try:
            opened.append(issue_ticket(poll, voter, random.Random(2)))
        except Exception as error:
            opened.append(error)
        finally:
            connection.close()

    booth = Thread(target=open_the_booth)
    with transaction.atomic():
        ready = show(poll, voter, samples, "test")
        booth.start()
        wait_for("the booth's wait for the contestants", somebody_waits_for_a_lock)
    booth.join()
    assert isinstance(opened[0], Ticket), opened
    assert opened[0] != ready
