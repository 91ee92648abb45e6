"""The database itself refuses to change a vote, whatever program asks; 0004 refuses deleting, too.

A later migration that makes SQLite rebuild votes_vote (altering a column) drops the trigger and must install it again.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

INSTALL = {
    "sqlite": [
        """
        CREATE TRIGGER votes_vote_append_only BEFORE UPDATE ON votes_vote
        BEGIN SELECT RAISE(ABORT, 'votes are append-only: add a VoteExclusion instead'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION votes_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'votes are append-only: add a VoteExclusion instead'
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        """
        CREATE TRIGGER votes_vote_append_only BEFORE UPDATE ON votes_vote
        FOR EACH ROW EXECUTE FUNCTION votes_refuse_update()
        """,
    ],
}
REMOVE = {
    "sqlite": ["DROP TRIGGER votes_vote_append_only"],
    "postgresql": ["DROP TRIGGER votes_vote_append_only ON votes_vote", "DROP FUNCTION votes_refuse_update()"],
}


def run(statements: dict[str, list[str]], schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Execute the statements of the connected database; an unknown one is refused, not left unguarded."""
    vendor = schema_editor.connection.vendor
    if vendor not in statements:
        raise NotImplementedError(f"votes cannot be made append-only on {vendor}; use SQLite or PostgreSQL")
    for statement in statements[vendor]:
        schema_editor.execute(statement, params=None)


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Install the trigger and start the log at length 0."""
    run(INSTALL, schema_editor)
    apps.get_model("votes", "VoteLog").objects.get_or_create(pk=1)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger; the log's length stays."""
    run(REMOVE, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("votes", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
