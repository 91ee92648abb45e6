"""``python -m training train PRESET``: fine-tune a base, one checkpoint per epoch, each registered with the arena."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.arguments import positive
from training.attributes_net import Checker, load_checker
from training.base_files import unpack_base
from training.config import HOME, Preset, load_preset, preset_names, with_steps
from training.data import choose_posts
from training.display import TerminalDisplay, quieten_libraries
from training.errors import UserError
from training.launch import Launch
from training.measure import measure
from training.posts import Post
from training.run import Stopped
from training.signals import stop_on_signal

INTERRUPTED, PREFERRED = 130, 3
MEASURED = 3  # images of each character


def main(argv: Sequence[str]) -> int:
    """Train until done (0), asked to stop (130), or an earlier epoch is preferred (3).

    Raises UserError for what the user can fix.
    """
    parser = run_parser("train", "Fine-tune a base. A checkpoint is written after each epoch", "PRESET")
    parser.add_argument(
        "--measure",
        metavar="CHECK",
        type=Path,
        help="at the end print how well each epoch knows the characters, by this attribute check",
    )
    arguments = parser.parse_args(argv)
    preset = load_preset(arguments.preset)
    out = arguments.out or HOME / "runs" / preset.name
    status = begin(arguments, preset, out)
    if status == 0 and arguments.measure and os.environ.get("RANK", "0") == "0":
        epochs = [out / f"epoch-{epoch:02d}" for epoch in range(1, (arguments.epochs or preset.diffusion.epochs) + 1)]
        bases = [arguments.base or HOME / "base" / "base"]
        checker = load_checker(arguments.measure)
        print(identity_table([*bases, *epochs], choose_posts(arguments.data, "named"), checker))
    return status


def begin(arguments: argparse.Namespace, preset: Preset, out: Path) -> int:
    """Start a run as the command line of `run_parser` says, or go on with it; its exit status."""
    preset = with_steps(preset, epochs=arguments.epochs, seed=arguments.seed,
                        steps_per_epoch=arguments.steps_per_epoch, batch=arguments.batch)  # fmt: skip
    preset = replace(preset, licence=arguments.licence or preset.licence)
    launch = Launch(
        data=str(arguments.data.resolve()),
        base=str((arguments.base or HOME / "base" / "base").resolve()),
        cache=str(arguments.cache.resolve()),
        device=arguments.device,
        shard=arguments.shard,
        threads=arguments.threads,
        arena=arguments.arena,
        stop_when_worse=arguments.stop_when_worse,
        population=arguments.population,
        peak_tflops=arguments.peak_tflops,
        tensorboard=arguments.tensorboard,
    )
    launch.check(preset)
    if arguments.base is None and os.environ.get("WORLD_SIZE", "1") != "1":
        raise UserError("several processes need --base: `python -m training base unpack` makes the demo's")
    if arguments.base is None:
        unpack_base(HOME / "base")
    return train(launch, preset, out, arguments.arena_token)


def train(launch: Launch, preset: Preset, out: Path, token: str) -> int:
    """Train what is left of a run; its exit status."""
    quieten_libraries()
    stop = threading.Event()
    with stop_on_signal(stop), TerminalDisplay() as display:
        run = launch.open(preset, out, token, display, stop)
        try:
            run.say(f"{run.name}: done, last checkpoint {run.train()}")
        except Stopped as stopped:
            run.say(str(stopped))
            return PREFERRED if stopped.preferred else INTERRUPTED
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


def run_parser(verb: str, does: str, out: str) -> argparse.ArgumentParser:
    """The options of every command that starts a run."""
    parser = argparse.ArgumentParser(
        prog=f"python -m training {verb}", description=f"{does}; the same command resumes a run."
    )
    parser.add_argument("preset", help=f"one of: {', '.join(preset_names())}; or a .toml file of settings")
    parser.add_argument("--data", type=Path, default=HOME / "dataset", help="data set folder (default %(default)s)")
    parser.add_argument("--base", type=Path, help="checkpoint folder to start from (default: the committed base)")
    parser.add_argument("--out", type=Path, help=f"run folder (default {HOME}/runs/{out})")
    parser.add_argument("--cache", type=Path, default=HOME / "latents", help="latents by content (default %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default %(default)s")
    parser.add_argument("--shard", action="store_true",
                        help="cut weights and optimiser over the processes of torchrun (FSDP)")  # fmt: skip
    add_arena_options(parser)
    parser.add_argument("--stop-when-worse", type=float, metavar="CONFIDENCE",
                        help="stop where people prefer an earlier epoch, such as 0.95; needs --arena")  # fmt: skip
    parser.add_argument("--population", choices=("people", "simulated"), default="people",
                        help="whose votes the standings are of (default %(default)s)")  # fmt: skip
    parser.add_argument("--epochs", type=positive, help="instead of the preset's")
    parser.add_argument("--steps-per-epoch", type=positive, help="instead of the preset's")
    parser.add_argument("--batch", type=positive, help="instead of the preset's")
    parser.add_argument("--seed", type=int, help="instead of the preset's")
    parser.add_argument("--licence", metavar="NAME", help="of what is trained (default: the preset's, or the base's)")
    parser.add_argument("--tensorboard", action="store_true", help="write RUN/tensorboard as well (extra tensorboard)")
    parser.add_argument("--peak-tflops", type=float, metavar="X", help="of the device, where its MFU is not known")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="default: %(default)s")
    return parser


def add_arena_options(parser: argparse.ArgumentParser) -> None:
    """Where the arena is, and the token, which no file keeps."""
    parser.add_argument("--arena", metavar="URL", help="register each epoch with the arena at this address")
    parser.add_argument("--arena-token", default=os.environ.get("ARENA_API_TOKEN", ""),
                        help="the arena's API token (default: the environment's ARENA_API_TOKEN)")  # fmt: skip
