"""manage.py evaluations"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from arena.evaluations.models import EvaluationRun
from arena.evaluations.status import describe
from arena.gallery.finding import UnknownCheckpointError, find_checkpoint

PIPED_WIDTH = 160
COLUMNS = ("id", "checkpoint", "state", "done", "total", "gpu_seconds", "device", "time_left", "error")


class Command(BaseCommand):
    help = "How far evaluations are, and what they have cost; the newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which, and how it is told."""
        parser.add_argument("checkpoint", nargs="?", help="only of this one, by name or first characters of the hash")
        parser.add_argument("--state", choices=EvaluationRun.State.values, help="only in this state")
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *, checkpoint: str | None, state: str | None, **options: Any) -> None:
        """Print them; CommandError for an unknown checkpoint."""
        runs = EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora").order_by("-pk")
        if checkpoint is not None:
            try:
                runs = runs.filter(contestant__checkpoint=find_checkpoint(checkpoint))
            except UnknownCheckpointError as error:
                raise CommandError(str(error)) from error
        told = [describe(run) for run in (runs.filter(state=state) if state else runs)]
        if options["json"]:
            rows = [{name: one[name] for name in COLUMNS} for one in told]
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        table = Table(*(name.replace("_", " ") for name in COLUMNS), title="evaluations")
        for one in told:
            table.add_row(*(str(one[name]) for name in COLUMNS))
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get())
