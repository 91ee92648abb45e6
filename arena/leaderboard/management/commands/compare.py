"""`manage.py compare A B`: is B better than A, and how sure is that?"""

from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from arena.gallery.finding import UnknownCheckpointError, find_contestant
from arena.leaderboard.answering import limited
from arena.leaderboard.comparing import CLUSTERS, Comparing, Row, compare_pair, compare_with, epochs_of
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.likeness import Likeness, spell_likeness
from arena.leaderboard.log import ReplayError
from arena.leaderboard.management.commands.leaderboard import moment
from arena.leaderboard.table import slice_of
from rating.errors import RatingError
from rating.printing import print_rows

HIDDEN = {"a_checkpoint", "b_checkpoint", "checkpoint"}


class Command(BaseCommand):
    """Prints what the page and the API show."""

    help = "Is checkpoint B better than A? With --reference: which of several is, corrected for picking the best."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom, on which votes, and how it is printed."""
        parser.add_argument("checkpoints", nargs="*", metavar="A B", help="by name or beginning of the hash")
        parser.add_argument(
            "--reference", metavar="A", help="compare those named, or the epochs of --run, with this one"
        )
        parser.add_argument("--run", help="with --reference: every epoch of this run")
        parser.add_argument("--poll", help="fixed, duel or ffa; all polls together without it")
        parser.add_argument("--population", default="people", help="people (default) or simulated; never both")
        parser.add_argument("--slice", default="", help="only the votes of a slice, as of `manage.py leaderboard`")
        parser.add_argument("--as-of", metavar="T", help="count the votes until then, such as 2026-01-31T12:00 (UTC)")
        parser.add_argument("--cluster", default="voter", help=f"votes that belong together: {', '.join(CLUSTERS)}")
        parser.add_argument("--level", type=float, default=0.95, help="of the intervals (default 0.95)")
        parser.add_argument("--format", default="table", choices=["table", "csv", "json"])

    def handle(self, **options: Any) -> None:
        """Print; CommandError names what is unknown, and says what the votes do not allow."""
        try:
            found = compared(options)
        except (UnknownCheckpointError, UnknownBoardError, ReplayError, RatingError) as error:
            raise CommandError(str(error)) from error
        out = StringIO()
        rows = found.rows
        if options["format"] == "table":
            rows = [shown(row) for row in rows]
        print_rows(rows, options["format"], out, title=title(found))
        as_table = options["format"] == "table"
        if found.state == "ok":
            self.stdout.write(out.getvalue())
            if as_table:
                self.stdout.write(note(found))
        if found.likeness and as_table:
            self.stdout.write(spell_likeness(Likeness(**found.likeness)))
        if found.state != "ok":
            raise CommandError(f"{found.state}: {found.message}")


def compared(options: dict[str, Any]) -> Comparing:
    """What was asked for. Raises UnknownCheckpointError, UnknownBoardError, RatingError, ReplayError."""
    as_of = moment(options["as_of"])
    chosen = slice_of(options["poll"], options["population"], options["slice"], as_of, timezone.now())
    how = {"as_of": as_of, "cluster": options["cluster"], "level": options["level"]}
    named = [find_contestant(text) for text in options["checkpoints"]]
    if options["reference"] is not None:
        reference = find_contestant(options["reference"])
        named += epochs_of(options["run"], reference) if options["run"] is not None else []
        return compare_with(reference, named, chosen, **how)
    if len(named) != 2 or options["run"] is not None:
        raise CommandError("name two checkpoints, A and B; or --reference A with others, or with --run NAME")
    return compare_pair(*named, chosen, **how)


def shown(row: Row) -> Row:
    """What a table shows of a row: for an interval so long that it says nothing, that."""
    kept = {name: value for name, value in row.items() if name not in HIDDEN}
    return kept if limited(row) else kept | dict.fromkeys(("always_low", "always_high"), "no limit yet")


def title(found: Comparing) -> str:
    """What was compared."""
    parts = [found.poll or "all polls", found.population, found.cut, f"{found.counted} votes", f"by {found.cluster}"]
    return ", ".join(filter(None, parts))


def note(found: Comparing) -> str:
    """How to read it."""
    if found.reference is None:
        return (
            "Differences are B less A in Elo points. The verdict may be looked at after every vote; low and high once."
        )
    waiting = f"\nNo vote compares these yet: {', '.join(found.waiting)}." if found.waiting else ""
    return (
        "Elo points more than the reference. Intervals hold for all rows at once; the best is corrected for its choice."
        f"\nThose from always_low to always_high may be looked at after every vote.{waiting}"
    )
