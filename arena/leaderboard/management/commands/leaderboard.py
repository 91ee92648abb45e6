"""`manage.py leaderboard`: a board in the terminal, as Markdown, as CSV or as JSON."""

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from arena.leaderboard.cuts import CUTS, UnknownBoardError
from arena.leaderboard.external import external_board
from arena.leaderboard.log import ReplayError
from arena.leaderboard.printing import PRINTED, notes, title
from arena.leaderboard.replay import log_length, rebuild
from arena.leaderboard.table import METRICS, Board, board
from rating.errors import RatingError


class Command(BaseCommand):
    """Prints the rows that the page shows."""

    help = "Print a board. CSV and JSON print its rows only; what the board says about itself then goes to stderr."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The board to print, and how."""
        parser.add_argument("--metric", default="trueskill", help=f"{', '.join(METRICS)}; trueskill without it")
        parser.add_argument("--poll", help="fixed, duel or ffa; all polls together without it")
        parser.add_argument("--population", default="people", help="people (default) or simulated; never both")
        parser.add_argument(
            "--slice", default="", help=f"only the votes of a slice: {', '.join(f'{c}=…' for c in CUTS)}"
        )
        parser.add_argument("--board", metavar="NAME", help="an external board (`manage.py import_votes`)")
        parser.add_argument("--as-of", metavar="T", help="count the votes until then, such as 2026-01-31T12:00 (UTC)")
        parser.add_argument("--format", default="table", choices=sorted(PRINTED))
        parser.add_argument("--rebuild", action="store_true", help="replay the whole vote log first")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print; CommandError names what is unknown and what is known."""
        names = options["metric"], options["poll"], options["population"]
        as_of = moment(options["as_of"])
        try:
            if options["board"] is not None:
                refuse_options_of_the_log(options)
                found = external_board(options["board"], options["metric"], options["poll"])
            else:
                found = self._made(names, options["slice"], as_of, rebuilt=options["rebuild"])
        except (UnknownBoardError, ReplayError, RatingError) as error:
            raise CommandError(str(error)) from error
        if options["format"] in {"csv", "json"}:
            self.stderr.write("\n".join([title(found.head), *notes(found.head)]))
        self.stdout.write(PRINTED[options["format"]](found))

    def _made(self, names: tuple[str, str | None, str], cut: str, as_of: datetime | None, *, rebuilt: bool) -> Board:
        """The board, with its progress on a terminal."""
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("votes", total=log_length())

            def progress(through: int) -> None:
                bar.update(task, completed=through)

            if rebuilt:
                board(*names, cut=cut, seconds=0.0)
                rebuild(names[0], names[1] or "", names[2], cut, progress=progress)
            return board(*names, cut=cut, as_of=as_of, progress=progress)


def refuse_options_of_the_log(options: dict[str, Any]) -> None:
    """An external board has neither populations nor slices nor a history. Raises CommandError."""
    for name, default in (("population", "people"), ("slice", ""), ("as_of", None), ("rebuild", False)):
        if options[name] != default:
            raise CommandError(f"--{name.replace('_', '-')} is of the arena's own boards; leave it out with --board")


def moment(text: str | None) -> datetime | None:
    """The moment of an ISO date or time, in UTC where it names no zone. Raises CommandError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--as-of is {text!r}; write a moment such as 2026-01-31 or 2026-01-31T12:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
