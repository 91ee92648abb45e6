"""manage.py render_plan"""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from arena.evaluations.lease import unfinished
from arena.evaluations.ordering import ASSUMED_SWAP_SECONDS, compare_orders, measured_cost, waiting_work
from arena.evaluations.status import spell_seconds
from generation.planner import Forecast, runs

PIPED_WIDTH = 160


class Command(BaseCommand):
    help = "Show what the worker would render, in which order, and what it would cost; renders nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--age", type=float, default=settings.ARENA_SWAP_AGE_SECONDS, help="the age bound, seconds")
        parser.add_argument(
            "--swap-seconds", type=float, default=ASSUMED_SWAP_SECONDS, help="of a change of checkpoint"
        )
        parser.add_argument("--format", default="table", choices=["table", "json"])

    def handle(self, *args: Any, age: float, swap_seconds: float, **options: Any) -> None:
        if age < 0 or swap_seconds < 0:
            raise CommandError("--age and --swap-seconds must not be negative")
        planned, in_turn = compare_orders(waiting_work(), measured_cost(swap_seconds), age)
        rows = _rows(planned)
        if options["format"] == "json":
            totals = {name: _totals(order) for name, order in (("planned", planned), ("in_turn", in_turn))}
            self.stdout.write(json.dumps({"steps": rows, **totals}, indent=2))
        elif not rows:
            self.stdout.write("nothing waits to be rendered")
        else:
            self.stdout.write(_table(rows))
            self.stdout.write(f"planned: {_words(planned)}")
            self.stdout.write(f"in turn, batch by batch: {_words(in_turn)}")


def _rows(order: Forecast) -> list[dict[str, Any]]:
    """What follows each other on one checkpoint, as one row."""
    waiting = unfinished().select_related("contestant__checkpoint", "contestant__lora")
    names = {run.contestant.weights: str(run.contestant) for run in waiting}
    begun = order.steps[0].begins if order.steps else 0.0
    return [
        {
            "checkpoint": names[run[0].job.checkpoint],
            "size": "{}x{}".format(*run[0].job.shape),
            "sampler": run[0].job.sampler,
            "images": sum(step.job.images for step in run),
            "batches": sum(step.job.batches for step in run),
            "begins_in": round(run[0].begins - begun, 2),
            "seconds": round(run[-1].ends - run[0].begins, 2),
        }
        for run in runs(order.steps)
    ]


def _totals(order: Forecast) -> dict[str, Any]:
    return {"seconds": round(order.seconds, 2), "swaps": order.swaps, "longest_wait": round(order.longest_wait, 2)}


def _words(order: Forecast) -> str:
    waits = spell_seconds(order.longest_wait)
    return f"{spell_seconds(order.seconds)} of the device, {order.swaps} changes of checkpoint, longest wait {waits}"


def _table(rows: list[dict[str, Any]]) -> str:
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console = Console(width=PIPED_WIDTH)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip()
