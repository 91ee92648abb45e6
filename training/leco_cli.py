"""``python -m training leco``: erase or enhance a concept by a LoRA, without pictures."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch

from generation.canonical import canonical_sha256
from training.arguments import positive
from training.base_files import unpack_base
from training.config import HOME, from_mapping, to_mapping
from training.display import TerminalDisplay, quieten_libraries
from training.leco_config import LecoConfig
from training.leco_launch import LecoLaunch
from training.leco_run import LecoRun
from training.lora_config import TARGETS
from training.run import Stopped
from training.signals import stop_on_signal
from training.train_cli import INTERRUPTED

LORA = ("rank", "alpha", "targets")


def main(argv: Sequence[str]) -> int:
    """Train until done (0) or asked to stop (130). Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    config = _config(arguments)
    base = arguments.base or unpack_base(HOME / "base")[-1]
    out = arguments.out or HOME / "runs" / f"leco-{canonical_sha256(to_mapping(config))[:8]}"
    launch = LecoLaunch(str(base.resolve()), arguments.device, arguments.threads, tuple(arguments.unrelated))
    return teach(launch, config, out)


def teach(launch: LecoLaunch, config: LecoConfig, out: Path) -> int:
    """Train what is left of a run; its exit status."""
    torch.set_num_threads(launch.threads)
    quieten_libraries()
    stop = threading.Event()
    with stop_on_signal(stop), TerminalDisplay() as display:
        run = LecoRun(launch, config, out, display, stop)
        try:
            display.say(f"{run.name}: done, {run.train()}")
        except Stopped as stopped:
            display.say(str(stopped))
            return INTERRUPTED
    return 0


def _config(arguments: argparse.Namespace) -> LecoConfig:
    """What the command line says, defaults for the rest."""
    action = "erase" if arguments.erase is not None else "enhance"
    said = {field.name: getattr(arguments, field.name, None) for field in fields(LecoConfig) if field.name != "lora"}
    said |= {"action": action, "concept": getattr(arguments, action)}
    own = to_mapping(LecoConfig(concept="any").lora)
    lora = own | {name: getattr(arguments, name) for name in LORA if getattr(arguments, name) is not None}
    given = {name: value for name, value in said.items() if value is not None}
    return from_mapping(LecoConfig, {**given, "lora": lora}, "the command line")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training leco",
        description="Teach a LoRA to answer a concept's prompt as if it meant something else; no pictures are needed. "
        "The same command resumes a run, and so does `resume` by its folder.",
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--erase", metavar="PROMPT", help="move the answer to this prompt away from it")
    action.add_argument("--enhance", metavar="PROMPT", help="move the answer to this prompt further towards it")
    parser.add_argument("--neutral", metavar="PROMPT", help="where the answer starts from (default: empty)")
    parser.add_argument("--positive", metavar="PROMPT", help="what gives the direction (default: the concept)")
    parser.add_argument("--unconditional", metavar="PROMPT", help="what it is measured from (default: empty)")
    parser.add_argument("--guidance", type=float, help="how far along the direction (default 1)")
    parser.add_argument("--preserve", nargs="+", metavar="PROMPT", help="prompts whose answers stay where they are")
    parser.add_argument(
        "--unrelated", nargs="+", metavar="PROMPT", default=[], help="measure at the end how far these moved"
    )
    parser.add_argument("--steps", type=int, help="default 500")
    parser.add_argument("--batch", type=int, help="states of a step (default 1)")
    parser.add_argument("--lr", type=float, help="default 1e-4, falling to zero")
    parser.add_argument("--size", type=int, help="pixels of a side of what is denoised (default 1024)")
    parser.add_argument("--seed", type=int, help="default 0")
    parser.add_argument("--rank", type=int, help="width of the adapters (default 4)")
    parser.add_argument("--alpha", type=float, help="the change is scaled by alpha / rank (default: the rank)")
    parser.add_argument("--targets", nargs="+", metavar="LAYERS",
                        help=f"which layers (default cross_attention): some of {', '.join(TARGETS)}")  # fmt: skip
    parser.add_argument("--base", type=Path, help="checkpoint folder to start from (default: the committed base)")
    parser.add_argument("--out", type=Path, help=f"run folder (default {HOME}/runs/leco-HASH)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default %(default)s")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="default: %(default)s")
    return parser
