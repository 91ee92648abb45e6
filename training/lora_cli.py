"""``python -m training lora PRESET``: train a LoRA on any base, one kohya file per epoch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from training.config import HOME, Preset, from_mapping, load_preset, to_mapping
from training.lora_config import TARGETS, LoraConfig
from training.train_cli import begin, run_parser


def main(argv: Sequence[str]) -> int:
    """Train until done (0), asked to stop (130), or an earlier epoch is preferred (3).

    Raises UserError for what the user can fix.
    """
    does = "Train a LoRA on a base, whose weights stay. A kohya file is written after each epoch"
    parser = run_parser("lora", does, "PRESET-lora")
    parser.add_argument("--rank", type=int, help="width of the adapters (default 16, or the preset's)")
    parser.add_argument("--alpha", type=float, help="the change is scaled by alpha / rank (default: the rank)")
    parser.add_argument("--targets", nargs="+", metavar="LAYERS", help=f"which layers: some of {', '.join(TARGETS)}")
    arguments = parser.parse_args(argv)
    preset = _with_lora(load_preset(arguments.preset), arguments)
    return begin(arguments, preset, arguments.out or HOME / "runs" / f"{preset.name}-lora")


def _with_lora(preset: Preset, arguments: argparse.Namespace) -> Preset:
    """The preset with a LoRA: its own, or the default one, with what the command line says of it."""
    said = {name: getattr(arguments, name) for name in ("rank", "alpha", "targets")}
    given = {name: value for name, value in said.items() if value is not None}
    own = to_mapping(preset.lora or LoraConfig())
    return replace(preset, lora=from_mapping(LoraConfig, {**own, **given}, "the command line"))
