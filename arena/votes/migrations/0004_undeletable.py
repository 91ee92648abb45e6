"""The database itself refuses to delete a vote, too; of an emptied table (PostgreSQL's TRUNCATE) it says nothing."""

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

run = import_module("arena.votes.migrations.0002_append_only").run

INSTALL = {
    "sqlite": [
        """
        CREATE TRIGGER votes_vote_undeletable BEFORE DELETE ON votes_vote
        BEGIN SELECT RAISE(ABORT, 'votes are append-only: add a VoteExclusion instead'); END
        """,
    ],
    "postgresql": [
        """
        CREATE TRIGGER votes_vote_undeletable BEFORE DELETE ON votes_vote
        FOR EACH ROW EXECUTE FUNCTION votes_refuse_update()
        """,
    ],
}
REMOVE = {
    "sqlite": ["DROP TRIGGER votes_vote_undeletable"],
    "postgresql": ["DROP TRIGGER votes_vote_undeletable ON votes_vote"],
}


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Install the trigger."""
    run(INSTALL, schema_editor)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger."""
    run(REMOVE, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("votes", "0003_integrity")]
    operations = [migrations.RunPython(install, remove)]
