"""manage.py verify_samples [CHECKPOINT]"""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena.gallery.finding import UnknownCheckpointError, find_checkpoint
from arena.gallery.models import Sample
from arena.gallery.verifying import OUTCOMES, verify_samples

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
SHOWN = 20


class Command(BaseCommand):
    help = "Render samples again from their own manifests and compare; exit 1 where one comes out different."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checkpoint", nargs="?", help="name or first characters of the hash; all without it")
        parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth sample")

    def handle(self, *, checkpoint: str | None, every: int, **options: Any) -> None:
        if every < 1:
            raise CommandError(f"--every must be at least 1, got {every}")
        samples = Sample.objects.select_related("contestant__checkpoint", "contestant__lora", "prompt")
        samples = samples.defer("manifest").order_by("contestant", "pk")
        if checkpoint:
            try:
                samples = samples.filter(contestant__checkpoint=find_checkpoint(checkpoint))
            except UnknownCheckpointError as error:
                raise CommandError(str(error)) from error
        chosen = list(samples)[::every]
        with Progress(*COLUMNS, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("verifying", total=len(chosen))
            found = verify_samples(chosen, lambda: progress.advance(bar))
        counts = Counter(one.outcome for one in found)
        self.stdout.write(
            f"{len(found)} samples: " + (", ".join(f"{n} {name}" for name, n in counts.items()) or "none")
        )
        different = [one for one in found if one.outcome == OUTCOMES[4]]
        for one in different[:SHOWN]:
            self.stdout.write(f"sample {one.sample.pk} ({one.sample}): {', '.join(one.differing)}")
        if different:
            raise CommandError(f"{len(different)} samples do not come out as they are stored")
