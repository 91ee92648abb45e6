"""``python -m training train PRESET``: fine-tune a base, one checkpoint per epoch, each registered with the arena."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from training.attributes_net import Checker, load_checker
from training.base_files import unpack_base
from training.config import HOME, load_preset, preset_names
from training.data import choose_posts
from training.display import TerminalDisplay, quieten_libraries
from training.hooks import ArenaClient, ArenaHook
from training.measure import measure
from training.posts import Post
from training.processes import Alone
from training.run import Run, RunPlan, Stopped, with_steps
from training.signals import stop_on_signal

INTERRUPTED = 130
MEASURED = 3  # images of each character


def main(argv: Sequence[str]) -> int:
    """Train until done (0) or asked to stop (130). Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    quieten_libraries()
    preset = with_steps(load_preset(arguments.preset), epochs=arguments.epochs, seed=arguments.seed,
                        steps_per_epoch=arguments.steps_per_epoch, batch=arguments.batch)  # fmt: skip
    client = ArenaClient(arguments.arena, arguments.arena_token) if arguments.arena else None
    base = arguments.base or unpack_base(HOME / "base")[-1]
    out = arguments.out or HOME / "runs" / preset.name
    stop = threading.Event()
    with stop_on_signal(stop), TerminalDisplay() as display:
        plan = RunPlan(preset, arguments.data, base, out, arguments.cache)
        run = Run(plan, display, stop, Alone(arguments.device))
        if client is not None:
            run.connect(ArenaHook(client, run.name, out, display.say))
        try:
            display.say(f"{run.name}: done, last checkpoint {run.train()}")
        except Stopped as stopped:
            display.say(str(stopped))
            return INTERRUPTED
    if arguments.measure:
        epochs = [run.folder(epoch) for epoch in range(1, preset.diffusion.epochs + 1)]
        print(identity_table([base, *epochs], choose_posts(arguments.data, "named"), load_checker(arguments.measure)))
    return 0


def identity_table(folders: Sequence[Path], posts: Sequence[Post], checker: Checker) -> str:
    """How often images prompted with a name alone show that character's looks, checkpoint by checkpoint."""
    by_name: dict[tuple[str, ...], list[Post]] = {}
    for post in posts:
        by_name.setdefault(post.character, []).append(post)
    chosen = [post for character in by_name.values() for post in character[:MEASURED]]
    shares = [measure(folder, chosen, checker, by_name=True).shares() for folder in folders]
    lines = [
        f"looks from the name alone, {len(chosen)} images each",
        f"{'':<18}" + "".join(f"{folder.name:>10}" for folder in folders),
        *(f"{name:<18}" + "".join(f"{row[name]:>10.2f}" for row in shares) for name in shares[0]),
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training train",
        description="Fine-tune a base. A checkpoint is written after each epoch; the same command resumes a run.",
    )
    parser.add_argument("preset", help=f"one of: {', '.join(preset_names())}; or a .toml file of settings")
    parser.add_argument("--data", type=Path, default=HOME / "dataset", help="data set folder (default %(default)s)")
    parser.add_argument("--base", type=Path, help="checkpoint folder to start from (default: the committed base)")
    parser.add_argument("--out", type=Path, help=f"run folder (default {HOME}/runs/PRESET)")
    parser.add_argument("--cache", type=Path, default=HOME / "latents", help="latents by content (default %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default %(default)s")
    parser.add_argument("--arena", metavar="URL", help="register each epoch with the arena at this address")
    parser.add_argument("--arena-token", default=os.environ.get("ARENA_API_TOKEN", ""),
                        help="the arena's API token (default: the environment's ARENA_API_TOKEN)")  # fmt: skip
    parser.add_argument("--epochs", type=_positive, help="instead of the preset's")
    parser.add_argument("--steps-per-epoch", type=_positive, help="instead of the preset's")
    parser.add_argument("--batch", type=_positive, help="instead of the preset's")
    parser.add_argument("--seed", type=int, help="instead of the preset's")
    parser.add_argument(
        "--measure",
        metavar="CHECK",
        type=Path,
        help="at the end print how well each epoch knows the characters, by this attribute check",
    )
    parser.add_argument("--threads", type=_positive, default=os.cpu_count() or 1, help="default: %(default)s")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value
