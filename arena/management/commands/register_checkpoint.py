"""manage.py register_checkpoint PATH"""

from argparse import ArgumentParser, BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.evaluations.running import start
from arena.evaluations.tasks import enqueue
from arena.gallery.registering import ConflictError, register
from generation.checkpoint import CheckpointError


class Command(BaseCommand):
    help = "Register a checkpoint folder; the same folder again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a checkpoint folder (diffusers SDXL plus checkpoint.json)")
        parser.add_argument(
            "--evaluate", action=BooleanOptionalAction, default=True, help="hand its evaluation to the worker"
        )

    def handle(self, *, path: Path, evaluate: bool, **options: Any) -> None:
        try:
            contestant, created = register(path)
        except (CheckpointError, ConflictError) as error:
            raise CommandError(str(error)) from error
        checkpoint = contestant.checkpoint
        self.stdout.write(
            f"{checkpoint.name} ({checkpoint.sha256[:12]}): {'registered' if created else 'known already'}"
        )
        if evaluate:
            run, queued = start(contestant)
            if queued:
                enqueue(run.pk)
            self.stdout.write(f"evaluation {run.pk}: {run.state}, {run.done} of {run.total or '?'} samples")
