"""``python -m training resume RUN``: go on with a run; its folder knows everything but the arena's token."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.launch import read_launch
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
    launch, preset = read_launch(arguments.run)
    changed = {name: getattr(arguments, name) for name in ("device", "arena") if getattr(arguments, name)}
    if arguments.keep_going:
        changed["stop_when_worse"] = None
    launch = replace(launch, **changed)
    return train(launch, preset, arguments.run, arguments.arena_token)
