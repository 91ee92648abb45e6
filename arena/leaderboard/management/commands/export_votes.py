"""`manage.py export_votes FILE`: the vote log as a vote file, with its data card beside it."""

import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.datacard import as_markdown
from arena.leaderboard.exporting import KEY_BYTES, NAMES, Export, ExportError, Row, begin, card, portions
from rating.errors import VoteFileError
from rating.writing import FORMATS, encoded


class Command(BaseCommand):
    """Writes both files whole or not at all."""

    help = "Write the votes that boards count as CSV, JSONL or Parquet, told by the ending, and FILE.card.md beside it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and which votes."""
        parser.add_argument("file", type=Path, help=f"ending in .{', .'.join(FORMATS)}")
        parser.add_argument("--poll", help="fixed, duel or ffa; all polls without it")
        parser.add_argument("--population", default="people", help="people (default) or simulated; never both")

    def handle(self, *, file: Path, poll: str | None, population: str, **options: Any) -> None:
        """Write; CommandError with the reason."""
        form = file.suffix[1:].lower()
        if form not in FORMATS:
            raise CommandError(f"{file}: the ending must be .{', .'.join(FORMATS)}")
        if not file.parent.is_dir():
            raise CommandError(f"{file}: there is no folder {file.parent}; make it first")
        partial, partial_card = file.with_name(f"{file.name}.partial"), file.with_name(f"{file.name}.card.md.partial")
        try:
            export = begin(poll, population, key=secrets.token_bytes(KEY_BYTES), now=timezone.now())
            with partial.open("wb") as out:
                out.writelines(encoded(form, NAMES, self._watched(export)))
            facts = card(export)
            partial_card.write_text(as_markdown(facts), encoding="utf-8")
            partial.replace(file)
            partial_card.replace(file.with_name(f"{file.name}.card.md"))
        except (UnknownBoardError, ExportError, VoteFileError, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            partial.unlink(missing_ok=True)
            partial_card.unlink(missing_ok=True)
        self.stdout.write(
            f"{file}: {facts['votes']} votes of {facts['voters']} voters; {file.name}.card.md describes them"
        )

    def _watched(self, export: Export) -> Iterator[list[Row]]:
        """The portions, with their progress on a terminal."""
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("votes", total=export.through)
            for rows in portions(export):
                yield rows
                bar.update(task, completed=int(rows[-1][0]) if rows else None)
