"""manage.py register_checkpoint PATH"""

from argparse import ArgumentParser, BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.evaluations.running import start
from arena.evaluations.tasks import enqueue
from arena.gallery.finding import names_of
from arena.gallery.registering import ConflictError, register
from generation.checkpoint import CheckpointError
from generation.lora_file import LoraRef


class Command(BaseCommand):
    help = "Register a checkpoint folder, perhaps with a LoRA added; the same again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a checkpoint folder (diffusers SDXL plus checkpoint.json)")
        parser.add_argument(
            "--lora", metavar="FILE[:SCALE]", help="register the checkpoint with this LoRA added, as a contestant"
        )
        parser.add_argument(
            "--evaluate", action=BooleanOptionalAction, default=True, help="hand its evaluation to the worker"
        )

    def handle(self, *, path: Path, lora: str | None, evaluate: bool, **options: Any) -> None:
        try:
            contestant, created = register(path, LoraRef.parse(lora) if lora else None)
        except (CheckpointError, ConflictError, ValueError) as error:
            raise CommandError(str(error)) from error
        (name,) = names_of([contestant])
        self.stdout.write(f"{contestant} ({name}): {'registered' if created else 'known already'}")
        if evaluate:
            run, queued = start(contestant)
            if queued:
                enqueue(run.pk)
            self.stdout.write(f"evaluation {run.pk}: {run.state}, {run.done} of {run.total or '?'} samples")
