"""manage.py upsample_prompts SET TABLE.json"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.gallery.models import PromptSet
from arena.gallery.upsampling import upsampled_set
from generation.errors import UpsamplingError
from generation.upsampling import read_table


class Command(BaseCommand):
    help = "Copy a prompt set in the longer words of a table (python -m generation upsample), for a poll to ask for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prompt_set", metavar="SET", help="slug of the prompt set")
        parser.add_argument("table", type=Path, metavar="TABLE.json")
        parser.add_argument("--as", dest="slug", default="", help="slug of the copy; SET-upsampled without it")

    def handle(self, *, prompt_set: str, table: Path, slug: str, **options: Any) -> None:
        source = PromptSet.objects.filter(slug=prompt_set).first()
        if source is None:
            known = ", ".join(PromptSet.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"there is no prompt set {prompt_set!r}; there are: {known}")
        try:
            copy = upsampled_set(source, read_table(table), slug)
        except (UpsamplingError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{copy.slug}: {copy.prompts.count()} prompts, {len(copy.seeds)} seeds")
