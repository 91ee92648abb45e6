"""manage.py cancel_evaluation CHECKPOINT"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.evaluations.models import EvaluationRun
from arena.evaluations.running import cancel
from arena.evaluations.status import spell_cost
from arena.gallery.finding import UnknownCheckpointError, find_checkpoint


class Command(BaseCommand):
    help = "Stop the evaluation of a checkpoint; its images stay, and `manage.py evaluate` goes on with it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose."""
        parser.add_argument("checkpoint", help="name, or first characters of the hash, of a checkpoint")

    def handle(self, *, checkpoint: str, **options: Any) -> None:
        """Cancel; CommandError where there is nothing to cancel."""
        try:
            found = find_checkpoint(checkpoint)
        except UnknownCheckpointError as error:
            raise CommandError(str(error)) from error
        of_checkpoint = EvaluationRun.objects.filter(contestant__checkpoint=found)
        runs = list(of_checkpoint.select_related("contestant__checkpoint", "contestant__lora"))
        stopped = [run for run in runs if cancel(run)]
        if not stopped:
            states = ", ".join(run.state for run in runs)
            raise CommandError(f"{found.name}: " + (f"its evaluation is {states}" if runs else "it has no evaluation"))
        for run in stopped:
            self.stdout.write(f"{run}: cancelled after {run.done} of {run.total or '?'} samples, {spell_cost(run)}")
