"""`manage.py leaderboard`: a board in the terminal, as CSV or as JSON."""

import csv
import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, fields
from io import StringIO
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from arena.leaderboard.log import ReplayError
from arena.leaderboard.replay import rebuild
from arena.leaderboard.table import Board, Row, UnknownBoardError, board
from rating.registry import SYSTEMS

PIPED_WIDTH = 160


class Command(BaseCommand):
    """Prints the rows that the page shows."""

    help = "Print a board. CSV and JSON print its rows only; what the board says about itself then goes to stderr."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The board to print, and how."""
        parser.add_argument("--metric", default="trueskill", help=f"{', '.join(SYSTEMS)}; trueskill without it")
        parser.add_argument("--poll", help="fixed, duel or ffa; all polls together without it")
        parser.add_argument("--population", default="people", help="people (default) or simulated; never both")
        parser.add_argument("--format", default="table", choices=["table", "csv", "json"])
        parser.add_argument("--rebuild", action="store_true", help="replay the whole vote log first")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print; CommandError names what is unknown and what is known."""
        names = options["metric"], options["poll"], options["population"]
        try:
            found = board(*names)
            if options["rebuild"]:
                rebuild(names[0], names[1] or "", names[2])
                found = board(*names)
        except (UnknownBoardError, ReplayError) as error:
            raise CommandError(str(error)) from error
        if options["format"] != "table" and found.head.message:
            self.stderr.write(found.head.message)
        print_as = {"table": self._print_table, "csv": self._print_csv, "json": self._print_json}
        print_as[options["format"]](found)

    def _print_json(self, found: Board) -> None:
        self.stdout.write(json.dumps([asdict(row) for row in found.rows], indent=2, ensure_ascii=False))

    def _print_csv(self, found: Board) -> None:
        lines = StringIO()
        writer = csv.DictWriter(lines, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in found.rows)
        self.stdout.write(lines.getvalue())

    def _print_table(self, found: Board) -> None:
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False)
        with console.capture() as printed:
            console.print(_table(found), _notes(found), sep="\n")
        self.stdout.write(printed.get())


def _table(found: Board) -> Table:
    head = found.head
    table = Table(title=f"{head.metric}, {head.poll or 'all polls'}, {head.population}")
    averaged = any(row.average is not None for row in found.rows)
    spread = "95 %" if any(row.low is not None for row in found.rows) else "by order"
    shown = ["value", "average", spread] if averaged else ["value", spread]
    for name in ("rank", "contestant", "run", "epoch", *shown, "gain", "votes", "W", "L", "D"):
        table.add_column(name, justify="left" if name in {"contestant", "run"} else "right", overflow="fold")
    for row in found.rows:
        table.add_row(*_cells(row, averaged), style="dim" if row.provisional else "")
    return table


def _cells(row: Row, averaged: bool) -> list[str]:
    value = "" if row.value is None else f"{row.value:.1f}"
    gain = "" if row.change is None else f"{row.change:+.1f}"
    error = "" if row.change_error is None else f" ± {row.change_error:.1f}"
    counts = [str(count) for count in (row.votes, row.wins, row.losses, row.draws)]
    average = [] if not averaged else ["" if row.average is None else f"{row.average:.1f}"]
    shown = [value, *average, _spread(row)]
    return [str(row.rank or "-"), row.contestant, row.run, str(row.epoch), *shown, gain + error, *counts]


def _spread(row: Row) -> str:
    if row.low is not None and row.high is not None:
        return f"{row.low:.1f} to {row.high:.1f}"
    return "" if row.order_sd is None else f"± {row.order_sd:.1f}"


def _notes(found: Board) -> str:
    head = found.head
    lines = [
        head.message,
        f"{head.counted} votes counted, {head.bad} both bad, {head.skipped} skipped, {head.excluded} excluded, "
        f"{head.unverified} unverified; "
        f"{head.methodology}; log {head.log_sha256[:12] or 'empty'}",
        "Dim rows are provisional: fewer than 10 votes.",
    ]
    if head.order_sd is not None:
        lines.append(
            f"Elo depends on the order of the votes: another order of the first {head.order_votes} would move a value "
            f"by {head.order_sd:.1f} points (sd)."
        )
    return "\n".join(line for line in lines if line)
