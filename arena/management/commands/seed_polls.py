"""manage.py seed_polls"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.evaluations.running import start
from arena.evaluations.seeding import DatasetError, seed
from arena.evaluations.tasks import enqueue
from arena.gallery.models import Contestant


class Command(BaseCommand):
    help = "Make the three polls and what they ask for; contestants already there are evaluated for what is new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dataset", type=Path, help="data set folder whose characters.json names the characters")

    def handle(self, *, dataset: Path | None, **options: Any) -> None:
        try:
            characters = seed(dataset)
        except DatasetError as error:
            raise CommandError(str(error)) from error
        if characters:
            self.stdout.write(f"three polls, {characters} named characters")
        else:
            self.stdout.write("two polls: the fixed-characteristics poll needs named characters, give --dataset DIR")
        for contestant in Contestant.objects.all():
            run, queued = start(contestant)
            if queued:
                enqueue(run.pk)
