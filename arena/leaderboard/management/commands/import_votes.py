"""`manage.py import_votes FILE --board NAME`: votes from elsewhere as a board of their own."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, TextColumn

from arena.leaderboard.external import FORMS, external_board, import_votes
from arena.leaderboard.table import VOTED
from rating.errors import RatingError


class Command(BaseCommand):
    """Reads everything before it keeps anything."""

    help = "Show a vote file, or battles (model_a, model_b, winner), as a board apart from the arena's own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What, under which name."""
        parser.add_argument("file", type=Path, help="CSV, JSONL, Parquet, or for battles also one JSON list")
        parser.add_argument("--board", required=True, metavar="NAME", help="of the board: a-z, 0-9 and '-'")
        parser.add_argument("--as", dest="form", choices=list(FORMS), help="told by the columns without it")
        parser.add_argument(
            "--source", default="", help="where the votes come from, and their licence; shown with them"
        )
        parser.add_argument("--replace", action="store_true", help="in place of the board of that name")

    def handle(self, *, file: Path, **options: Any) -> None:
        """Import and rate; CommandError names the line that is wrong."""
        columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,.0f}"))
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
            reading = bar.add_task(f"votes of {file.name}", total=None)
            try:
                kept = import_votes(
                    file,
                    options["board"],
                    form=options["form"],
                    source=options["source"],
                    replace=options["replace"],
                    progress=lambda votes: bar.update(reading, completed=votes),
                )
                rating = bar.add_task("boards", total=len(VOTED))
                for metric in VOTED:
                    external_board(kept.name, metric)
                    bar.advance(rating)
            except RatingError as error:
                raise CommandError(str(error)) from error
        contestants = len(kept.names["contestants"])
        self.stdout.write(f"{kept.name}: {kept.votes} votes on {contestants} contestants from {kept.file_name}")
