"""`manage.py revoke_voter`: take back a voter's votes, and see what that does to the boards."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Q

from arena.leaderboard.table import Row, board
from arena.polls.models import Poll
from arena.votes.models import Vote, Voter
from arena.votes.revoking import revoke, unrevoke

Boards = dict[str, list[Row]]


class Command(BaseCommand):
    """Revokes a voter, or takes that back, and prints the difference."""

    help = "Take all votes of a voter off the boards, those to come included, and print how the boards move."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom, why, and whether really."""
        keys = "number of the voter as in the admin, or its key; after -- if that begins with a dash"
        parser.add_argument("voter", help=keys)
        parser.add_argument("--reason", default="", help="why; kept with every vote")
        parser.add_argument("--undo", action="store_true", help="count the voter's votes again")
        parser.add_argument("--dry-run", action="store_true", help="print the difference and change nothing")
        parser.add_argument("--metric", default="trueskill", help="metric of the boards that are compared")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each board that moves."""
        voter = find_voter(options["voter"])
        check(voter, options)
        with transaction.atomic():
            before = boards(options["metric"], voter.population)
            rows = unrevoke(voter) if options["undo"] else revoke(voter, options["reason"])
            after = boards(options["metric"], voter.population)
            if options["dry_run"]:
                transaction.set_rollback(True)
        cast = Vote.objects.filter(ticket__voter=voter).count()
        verb = "count again" if options["undo"] else "leave the boards"
        self.stdout.write(f"{rows} of {cast} votes of voter {voter.pk} {verb}.")
        for title in before:
            for line in differences(before[title], after[title]):
                self.stdout.write(f"{title}: {line}")
        if options["dry_run"]:
            self.stdout.write("A dry run: nothing was changed.")


def find_voter(name: str) -> Voter:
    """The voter of that key or number. Raises CommandError."""
    by_number = Q(pk=int(name)) if name.isdecimal() and len(name) < 18 else Q(pk=None)
    voter = Voter.objects.filter(by_number | Q(key=name)).first()
    if voter is None:
        raise CommandError(f"there is no voter {name!r}: give the number that the admin's list of voters shows")
    return voter


def check(voter: Voter, options: dict[str, Any]) -> None:
    """Raise CommandError for what makes no sense."""
    if options["undo"] and not voter.revoked_at:
        raise CommandError(f"voter {voter.pk} is not revoked: there is nothing to undo")
    if not options["undo"] and voter.revoked_at:
        raise CommandError(f"voter {voter.pk} is revoked already: {voter.revoked_reason}")
    if not options["undo"] and not options["reason"].strip():
        raise CommandError("say why with --reason TEXT: it is kept with every vote")


def boards(metric: str, population: str) -> Boards:
    """The rows of every board that has votes: each poll's, and all polls together."""
    found = {kind: board(metric, kind, population) for kind in Poll.objects.values_list("kind", flat=True)}
    combined = {"all polls": board(metric, None, population)}
    return {title: one.rows for title, one in (found | combined).items() if one.head.counted or one.head.excluded}


def differences(before: list[Row], after: list[Row]) -> list[str]:
    """A line for each contestant whose row moved."""
    was = {row.contestant_id: row for row in before}
    lines = []
    for row in after:
        old = was.get(row.contestant_id)
        if old is None or (old.rank, old.value, old.votes) != (row.rank, row.value, row.votes):
            lines.append(f"{row.contestant}: {spelt(old)} → {spelt(row)}")
    return lines


def spelt(row: Row | None) -> str:
    """Rank, value and votes of a row."""
    if row is None:
        return "absent"
    value = "no value" if row.value is None else f"{row.value:.2f}"
    return f"rank {row.rank or '-'}, {value}, {row.votes} votes"
