"""A training step of the tiny base, ours against a plain loop of diffusers' parts.

Before anything is timed both train on the very same batches and noise; losses that differ by a thousandth end the race.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from training.base_cli import main as base
from training.dataset.cli import main as dataset
from training.memory import GIB, state_bytes
from training.sdxl import sdxl
from training.train_config import OptimizerConfig

Workers = tuple[Callable[[], float], Callable[[], float]]
PICTURES = 256


def world(folder: Path) -> Path:
    """The committed base and a small data set; both trainers agree on it."""
    place = folder / "step"
    if not place.exists():
        base(["unpack", "--out", str(place)])
        dataset(["demo", "--out", str(place / "dataset"), "--images", str(PICTURES), "--named", "1", "--workers", "1"])
        run("equal", place)
    return place


def run(who: str, place: Path) -> Any:
    """What the trainer's own process measured."""
    command = [sys.executable, "-m", "tests.benchmarks.training.trainers", who, str(place), "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None


def measured(who: str, figure: str, place: Path) -> float:
    return float(run(who, place)[figure])


def workers(folder: Path) -> Workers:
    """Processor milliseconds of a step of 16 images."""
    place = world(folder)
    return partial(measured, "ours", "ms", place), partial(measured, "plain", "ms", place)


def memory(folder: Path) -> Workers:
    """Most megabytes that the process held."""
    place = world(folder)
    return partial(measured, "ours", "mb", place), partial(measured, "plain", "mb", place)


def overhead(folder: Path) -> Workers:
    """Processor milliseconds of a step with captions and data made beside it, against one on batches that are there."""
    place = world(folder)
    return partial(measured, "ours", "ms", place), partial(measured, "ready", "ms", place)


def states(folder: Path) -> Workers:
    """GiB of weights, gradients and AdamW's moments, bfloat16 against float32, for 10^9 weights of the real SDXL."""
    unet = sdxl()["unet"]
    billions = sum(parameter.numel() for parameter in unet.parameters()) / 1e9

    def gib(precision: str) -> float:
        return state_bytes([unet], OptimizerConfig(ema=0), precision) / GIB / billions

    return partial(gib, "bf16_weights"), partial(gib, "float32")
