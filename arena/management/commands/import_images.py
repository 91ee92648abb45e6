"""manage.py import_images FOLDER --name NAME --table TABLE"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena.evaluations.running import enrol
from arena.gallery.importing import COLUMNS, Identity, TableError, import_images

SHOWN = 20
BARS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Command(BaseCommand):
    help = "Let images of a closed system take part: all of a table or nothing; the same again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where the pictures are")
        parser.add_argument("--name", required=True, help="what the boards call the contestant")
        parser.add_argument("--table", type=Path, required=True, help=f"CSV with the columns {', '.join(COLUMNS)}")
        parser.add_argument("--licence", default="", help="licence of the pictures")
        parser.add_argument("--attribution", default="", help="whom the licence asks to name")

    def handle(self, *, folder: Path, name: str, table: Path, licence: str, attribution: str, **options: Any) -> None:
        if not name.strip() or len(name) > 200:
            raise CommandError("--name must be text of at most 200 characters")
        with Progress(*BARS, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(f"importing {name}", total=None)
            try:
                contestant, added = import_images(
                    folder,
                    table,
                    Identity(name, licence, attribution),
                    progress=lambda done, total: progress.update(bar, completed=done, total=total),
                )
            except TableError as error:
                more = len(error.problems) - SHOWN
                shown = [*error.problems[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
                raise CommandError("nothing was imported:\n" + "\n".join(shown)) from error
        enrol(contestant)
        total = contestant.samples.count()
        self.stdout.write(f"{name}: {added} images imported, {total} in all; not reproducible, and marked so")
