"""`manage.py figure KIND`: a figure or the numbers behind it, as a file or on the screen."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.figures.asking import Ask, Figure
from arena.leaderboard.figures.making import KINDS, made
from arena.leaderboard.figures.png import png
from arena.leaderboard.figures.svg import WIDE
from arena.leaderboard.log import ReplayError

FORMATS = ("svg", "png", "csv", "json")


class Command(BaseCommand):
    """Writes what the figure's page shows, with every vote counted."""

    help = "Draw a figure: SVG, PNG, or the numbers behind it as CSV or JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The figure, and how it is written."""
        parser.add_argument("kind", help=", ".join(KINDS))
        parser.add_argument("--metric", default="", help="of ratings, history and agreement; the first one without it")
        parser.add_argument("--poll", default="", help="fixed, duel or ffa; all polls together without it")
        parser.add_argument("--population", default="people", help="people (default) or simulated; never both")
        parser.add_argument("--slice", default="", help="only the votes of a slice, as of `manage.py leaderboard`")
        parser.add_argument("--run", default="", help="of trend: the training run; the newest without it")
        parser.add_argument("--format", default="svg", choices=FORMATS)
        parser.add_argument("--table", default="", help="which of the figure's tables, as CSV; the first without it")
        parser.add_argument("--out", type=Path, metavar="FILE", help="write there; to standard output without it")

    def handle(self, **options: Any) -> None:
        """Write; CommandError names what is unknown, or says why there is nothing to draw."""
        names = {name: options[name] for name in ("kind", "metric", "poll", "population", "run")}
        try:
            found = made(Ask(cut=options["slice"], **names))
        except (UnknownBoardError, ReplayError) as error:
            raise CommandError(str(error)) from error
        if found.message:
            raise CommandError(f"{found.state}: {found.message}")
        content = written(found, options["format"], options["table"])
        if options["out"] is None:
            sys.stdout.buffer.write(content) if options["format"] == "png" else self.stdout.write(content.decode())
            return
        try:
            options["out"].write_bytes(content)
        except OSError as error:
            raise CommandError(f"cannot write {options['out']}: {error.strerror}") from error


def written(found: Figure, form: str, table: str) -> bytes:
    """The figure in a format. Raises CommandError for a table that it does not have."""
    if form == "svg":
        return found.svg().encode()
    if form == "png":
        return png(found.svg(), found.draw(WIDE).height if found.draw else 1.0)
    tables = {one.name: one for one in found.tables}
    if table and table not in tables:
        raise CommandError(f"there is no table {table!r}; known: {', '.join(tables)}")
    if form == "json":
        said = {"kind": found.kind, "title": found.title, "votes": found.votes, "notes": list(map(str, found.notes))}
        return json.dumps(said | {name: one.as_records() for name, one in tables.items()}, indent=2,
                          ensure_ascii=False).encode()  # fmt: skip
    return (tables[table] if table else found.tables[0]).as_csv().encode()
