"""manage.py evaluate CHECKPOINT"""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena.evaluations import probing, running
from arena.evaluations.lease import BusyError
from arena.evaluations.measuring import measure
from arena.evaluations.models import EvaluationRun
from arena.evaluations.scores import spell_score
from arena.evaluations.status import spell_cost
from arena.evaluations.tasks import enqueue
from arena.gallery.finding import UnknownCheckpointError, find_contestants
from arena.gallery.models import Contestant, ImportedError
from arena.gallery.registering import ConflictError, register
from generation.checkpoint import CheckpointError
from generation.errors import GenerationError
from generation.probes.probe import PROMPT_SETS, names
from rating.errors import RatingError

BUSY_PAUSE_SECONDS = 1.0
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Command(BaseCommand):
    help = (
        "Render what the polls ask of a checkpoint, enrol and measure it. Killed at any point, it goes on from there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "checkpoint",
            help="name or first characters of the hash (with /RECIPE for one of several), or folder of a checkpoint",
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--queue", action="store_true", help="hand it to the worker instead of rendering here")
        what.add_argument("--probe", action="append", choices=names(), help="only this probe; may be repeated")
        parser.add_argument("--probe-prompts", choices=PROMPT_SETS, default="paper", help="demo: for the tiny base")

    def handle(
        self, *, checkpoint: str, queue: bool, probe: list[str] | None, probe_prompts: str, **options: Any
    ) -> None:
        if probe:
            for contestant in find(checkpoint):
                for name in probe:
                    self._probe(contestant, name, probe_prompts)
            return
        try:
            runs = [running.start(contestant, resume=True)[0] for contestant in find(checkpoint)]
        except ImportedError as error:
            raise CommandError(str(error)) from error
        for run in runs:
            if queue:
                enqueue(run.pk)
                self.stdout.write(f"evaluation {run.pk} of {run.contestant} is queued")
            else:
                self._render(run)

    def _render(self, run: EvaluationRun) -> None:
        with Progress(*COLUMNS, console=Console(stderr=True)) as progress:
            task = progress.add_task(str(run.contestant), total=None)
            while self._advance(run, lambda now: progress.update(task, completed=now.done, total=now.total)):
                pass
        run.refresh_from_db()
        if run.state not in (EvaluationRun.State.DONE, EvaluationRun.State.INCOMPLETE):
            raise CommandError(f"the evaluation of {run.contestant} is {run.state}: {run.error or 'stopped elsewhere'}")
        self.stdout.write(f"{run.contestant}: {run.done} of {run.total} samples, {spell_cost(run)}")
        problems = [run.error] if run.state == EvaluationRun.State.INCOMPLETE else []
        problems += self._measure(run.contestant)
        if problems:
            raise CommandError("; ".join(problems) + "; the same command tries again")

    def _probe(self, contestant: Contestant, name: str, prompt_set: str) -> None:
        with Progress(*COLUMNS, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"{name}, {contestant}", total=None)
            try:
                score = probing.probe(
                    contestant, name, prompt_set=prompt_set, on_image=lambda done: progress.update(task, completed=done)
                )
            except (GenerationError, ValueError) as error:
                raise CommandError(f"{contestant} cannot be probed: {error}") from error
        self.stdout.write("\n".join(probing.spell_probe(score)))

    def _measure(self, contestant: Contestant) -> list[str]:
        """Measure what was not measured with this run: the encoder or the references may be others than then.

        Returns what is wrong with the score, if anything.
        """
        with Progress(*COLUMNS, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"measuring {contestant}", total=None)
            try:
                score = measure(contestant, progress=lambda n, total: progress.update(task, completed=n, total=total))
            except RatingError as error:
                raise CommandError(f"{contestant} cannot be measured: {error}") from error
        if score:
            self.stdout.write("\n".join(spell_score(score)))
        if score and not score.complete:
            return [f"the score of {contestant} is incomplete: {score.missing} images could not be measured"]
        return []

    def _advance(self, run: EvaluationRun, on_progress: Any) -> bool:
        """One chunk; while a worker holds the evaluation, only wait for it."""
        try:
            return running.advance(run.pk, on_progress=on_progress)
        except BusyError:
            time.sleep(BUSY_PAUSE_SECONDS)
            run.refresh_from_db()
            on_progress(run)
            return True
        except (CheckpointError, ValueError) as error:
            raise CommandError(str(error)) from error


def find(text: str) -> list[Contestant]:
    """The contestants of one checkpoint, by name, by hash prefix, or by folder (registered if it is new); or one of
    them, as NAME/RECIPE.

    Raises CommandError when nothing, or more than one checkpoint, fits.
    """
    if Path(text).is_absolute() and not Path(text).exists():
        raise CommandError(f"there is no folder {text}")
    if Path(text).is_dir():
        try:
            return [register(Path(text))[0]]
        except (CheckpointError, ConflictError) as error:
            raise CommandError(str(error)) from error
    try:
        return find_contestants(text)
    except UnknownCheckpointError as error:
        raise CommandError(f"{error}; or name a checkpoint's folder") from error
