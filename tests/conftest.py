"""What all tests share: the same examples in every run, and a database that is emptied past the guard of its votes."""

from importlib import import_module

import pytest
from django.db.backends.sqlite3.base import DatabaseOperations
from hypothesis import settings

# No test by luck or by speed; `pytest --hypothesis-profile default` looks for further examples.
settings.load_profile("ci")
GUARD = import_module("arena.votes.migrations.0004_undeletable")


@pytest.fixture(autouse=True, scope="session")
def _tests_may_empty_the_log() -> None:
    """SQLite is emptied by DELETE, which the guard refuses; PostgreSQL by TRUNCATE, which it lets through."""
    plain = DatabaseOperations.sql_flush

    def past_the_guard(self: DatabaseOperations, style: object, tables: list[str], **options: bool) -> list[str]:
        (drop,), (create,) = GUARD.REMOVE["sqlite"], GUARD.INSTALL["sqlite"]
        emptied = plain(self, style, tables, **options)
        drop = drop.replace("TRIGGER", "TRIGGER IF EXISTS")
        return [drop, *emptied, create] if "votes_vote" in tables else emptied

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", past_the_guard)
        yield
