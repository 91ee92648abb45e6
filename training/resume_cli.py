"""``python -m training resume RUN``: go on with a run; its folder knows everything but the arena's token."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.errors import UserError
from training.launch import read_launch
from training.leco_cli import teach
from training.leco_launch import is_leco, read_leco
from training.train_cli import add_arena_options, train


def main(argv: Sequence[str]) -> int:
    """Train what is left; exit status as of ``train``. Raises UserError for what the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m training resume", description="Go on with a run at the very step where it was left."
    )
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--device", help="another torch device than before")
    add_arena_options(parser)
    parser.add_argument("--keep-going", action="store_true", help="train on even where people prefer an earlier epoch")
    arguments = parser.parse_args(argv)
    if is_leco(arguments.run):
        return _teach(arguments)
    launch, preset = read_launch(arguments.run)
    changed = {name: getattr(arguments, name) for name in ("device", "arena") if getattr(arguments, name)}
    if arguments.keep_going:
        changed["stop_when_worse"] = None
    launch = replace(launch, **changed)
    return train(launch, preset, arguments.run, arguments.arena_token)


def _teach(arguments: argparse.Namespace) -> int:
    """Go on with a run that teaches a concept."""
    if arguments.arena or arguments.keep_going:
        raise UserError(f"{arguments.run} teaches a concept and asks no arena: leave out --arena and --keep-going")
    launch, config = read_leco(arguments.run)
    return teach(replace(launch, device=arguments.device or launch.device), config, arguments.run)
