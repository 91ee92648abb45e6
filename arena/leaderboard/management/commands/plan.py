"""`manage.py plan`: which matchups to ask for next, and what planning them spares."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from arena.leaderboard.log import ReplayError
from arena.leaderboard.models import MatchupPlan
from arena.leaderboard.planning import COUNT, WORLDS, make_experiment, make_plan
from arena.polls.models import Poll

PIPED_WIDTH = 160


class Command(BaseCommand):
    """Plans anew, keeps the plan for the page, and prints it."""

    help = "Print the matchups to ask for next, those whose images are there first, by what an answer tells a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The poll, and how much."""
        parser.add_argument("--poll", default="duel", help="fixed, duel (default) or ffa")
        parser.add_argument("--count", type=int, default=COUNT, help=f"how many matchups ({COUNT})")
        parser.add_argument("--seed", type=int, default=0, help="of ties between equal matchups (0)")
        parser.add_argument("--experiment", action="store_true", help="measure what planning spares on this log")
        parser.add_argument("--format", default="table", choices=["table", "json"])

    def handle(self, *args: Any, **options: Any) -> None:
        """Print; CommandError names what is unknown and what is known."""
        kind = options["poll"]
        if not Poll.objects.filter(kind=kind).exists():
            known = ", ".join(Poll.objects.values_list("kind", flat=True)) or "none; run `manage.py seed_polls`"
            raise CommandError(f"there is no poll {kind!r}; known: {known}")
        if not 1 <= options["count"] <= 1000:
            raise CommandError(f"--count is {options['count']}; give 1 to 1000")
        try:
            plan = make_plan(kind, seed=options["seed"], count=options["count"])
            if options["experiment"]:
                plan = self._experiment(kind)
        except ReplayError as error:
            raise CommandError(str(error)) from error
        print_as = {"table": as_table, "json": as_json}
        self.stdout.write(print_as[options["format"]](plan))

    def _experiment(self, kind: str) -> MatchupPlan:
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("simulated polls", total=WORLDS)
            return make_experiment(kind, progress=lambda done: bar.update(task, completed=done))


def as_json(plan: MatchupPlan) -> str:
    """All of it."""
    body = {"poll": plan.poll, "votes": plan.votes, "matchups": plan.matchups, "savings": plan.savings}
    return json.dumps(body, indent=2, ensure_ascii=False)


def as_table(plan: MatchupPlan) -> str:
    """Columns for a terminal."""
    table = Table(title=f"next matchups, {plan.poll}, by {plan.votes} counted votes")
    table.add_column("contestants", overflow="fold")
    for name in ("prompts ready", "to render", "voter s", "GPU s", "worth / s", "/ voter s", "/ GPU s"):
        table.add_column(name, justify="right")
    for row in plan.matchups:
        gpu = "-" if row["per_gpu_second"] is None else f"{row['per_gpu_second']:.2g}"
        numbers = (f"{row['voter_seconds']:.1f}", f"{row['gpu_seconds']:.1f}", f"{row['per_second']:.2g}")
        cells = (str(row["cells"]), str(row["missing"]), *numbers, f"{row['per_voter_second']:.2g}", gpu)
        table.add_row(" · ".join(row["names"]), *cells)
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False)
    with console.capture() as printed:
        console.print(table, *(told(one) for one in plan.savings), sep="\n")
    return printed.get()


def told(saving: dict[str, Any]) -> str:
    """An experiment's result in a sentence."""
    return (
        f"Where balanced random asks {saving['votes']} times ({saving['misordered']:.1f} pairs in the wrong order), "
        f"planning needs {100 * saving['ratio']:.0f} % as many "
        f"({100 * saving['low']:.0f} to {100 * saving['high']:.0f} %)."
    )
