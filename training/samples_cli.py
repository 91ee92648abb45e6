"""``python -m training samples RUN``: the same prompts and seeds by every epoch, as one picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from training.arguments import positive
from training.display import quieten_libraries
from training.run_files import SAMPLES
from training.samples import SEEDS, Asked, default_prompts, render_samples

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())


def main(argv: Sequence[str]) -> int:
    """Render and draw; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    quieten_libraries()
    prompts = tuple(arguments.prompt or default_prompts(arguments.place))
    asked = Asked(prompts, arguments.seeds)
    with Progress(*COLUMNS, transient=True) as progress:
        task = progress.add_task("loading", total=None)
        grid = render_samples(
            arguments.place,
            arguments.out or arguments.place / SAMPLES,
            asked,
            device=arguments.device,
            said=lambda name, done, total: progress.update(task, description=name, completed=done, total=total),
        )
    print(grid)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training samples", description="The same prompts and seeds by every epoch, as one picture."
    )
    parser.add_argument("place", type=Path, metavar="RUN", help="a run's folder, or a checkpoint's")
    parser.add_argument("--prompt", action="append", metavar="TEXT",
                        help="may be repeated (default: names of the run's characters)")  # fmt: skip
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, metavar="1,2", help="of each prompt (default 1,2)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for grid.png and the images (default RUN/samples)")
    parser.add_argument("--device", default="cpu", help="a torch device (default %(default)s)")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: torch's choice)")
    return parser


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 1,2") from None
