"""The command ``probe``: render a probe's pictures from checkpoints, measure them, and say what was found."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from generation.files import write_json
from generation.origin_cli import (
    PROGRESS,
    chosen,
    device_options,
    origin,
    origin_options,
    plain_console,
    recipe_options,
)
from generation.origin_cli import renderer as renderer_of
from generation.probes.probe import PROMPT_SETS, Case, Probe, find_probe, names
from generation.probes.rendering import Side, Work, render, with_home
from generation.probes.result import ProbeResult, measured

COLUMNS = ("checkpoint", "case", "measure", "value", "low", "high")


def probe_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``probe``."""
    parser.add_argument("name", choices=names())
    parser.add_argument(
        "--checkpoint", type=Path, action="append", required=True, metavar="FOLDER|FILE", help="may be repeated"
    )
    parser.add_argument("--prompts", choices=PROMPT_SETS, default="paper", help="demo: words that the tiny base knows")
    parser.add_argument("--prompt", action="append", default=[], help="your own instead of those; may be repeated")
    parser.add_argument("--seeds", type=int, help="how many, counted from 1; default: the probe's own")
    parser.add_argument("--out", type=Path, help="keep the pictures there; started again, the command goes on")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table")
    origin_options(parser)
    recipe_options(parser, "default: each checkpoint's own, with the fields that the probe varies")
    device_options(parser)


def probe(options: argparse.Namespace) -> int:
    """Probe every checkpoint in turn; the first one is the LoRA's home. Raises ValueError for what cannot be asked."""
    asked = find_probe(options.name)
    cases = asked.own_cases(options.prompt) if options.prompt else asked.cases_of(options.prompts)
    seeds = asked.seeds if options.seeds is None else tuple(range(1, options.seeds + 1))
    if not seeds:
        raise ValueError(f"--seeds must be at least 1, got {options.seeds}")
    if asked.needs_lora and not options.lora:
        raise ValueError(f"probe {asked.name} measures what a LoRA does: give one by --lora FILE")
    with _folder(options.out) as folder:
        results = _results(options, asked, cases, seeds, folder)
    _print(results, options.format)
    return 0


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where pictures go: the folder asked for, or one that is gone afterwards."""
    if out is not None:
        yield out
        return
    with TemporaryDirectory() as temporary:
        yield Path(temporary)


def _results(
    options: argparse.Namespace, asked: Probe, cases: Sequence[Case], seeds: Sequence[int], folder: Path
) -> list[ProbeResult]:
    options.path = options.checkpoint[0]
    renderer = renderer_of(options)
    held = [origin(options.path, options)]
    results, home = [], dict[str, Any]()
    for path in options.checkpoint:
        side = _side(options, renderer, held, path, folder)
        work = Work(asked, cases, seeds)
        images = _rendered(work, side, f"{asked.name}, {renderer.info.name}")
        home = home or images
        numbers = measured(asked, cases, with_home(images, home))
        info = renderer.info
        suite = asked.suite(cases, seeds, side.recipe)
        result = ProbeResult(asked, info.name, info.sha256, suite, work.total, numbers)
        write_json(side.folder / f"{asked.name}.json", result.to_dict())
        results.append(result)
    return results


def _rendered(work: Work, side: Side, title: str) -> dict[str, dict[str, Any]]:
    """The pictures, with a bar on the error output."""
    with Progress(*PROGRESS, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(title, total=work.total)
        return render(work, side, on_image=lambda done: progress.update(bar, completed=done))


def _side(options: argparse.Namespace, renderer: Any, held: list[Any], path: Path, folder: Path) -> Side:
    """One checkpoint, with the LoRAs that were asked for and without; ``held`` is what the renderer has loaded."""
    adapted = origin(path, options)
    plain = replace(adapted, loras=())

    def use(lora: bool) -> Any:
        wanted = adapted if lora else plain
        if held != [wanted]:
            renderer.swap(wanted)
            held[:] = [wanted]
        return renderer

    info = use(True).info
    return Side(replace(info.recipe, **chosen(options)), use, folder / info.sha256[:12])


def _print(results: Sequence[ProbeResult], form: str) -> None:
    if form == "json":
        plain_console().print(json.dumps([result.to_dict() for result in results], indent=1))
        return
    rows = [row for result in results for row in result.rows()]
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
        return
    first = results[0].probe
    better = "less is better" if first.falling else "more is better"
    caption = f"{first.headline} is what counts: {first.unit}, {better}. Intervals: 95 %, over cases."
    table = Table("checkpoint", "measure", "value", "95 %", title=f"{first.title} ({first.section})", caption=caption)
    for checkpoint, case, name, value, low, high in rows:
        if case == "all":
            interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
            table.add_row(checkpoint, name, f"{value:.3f}", interval)
    plain_console().print(table)
