"""What manifests and archived PNGs add to the time of rendering, in percent, against the limit."""

from collections.abc import Callable
from pathlib import Path

import torch

from generation.bench import PROVENANCE, measure
from generation.recipe import Recipe
from generation.renderer import Renderer
from training.base_cli import main as base

LIMIT = 3.0
RECIPE = Recipe(sampler="euler_a", steps=12, cfg=2.0, width=64, height=64, batch=8)


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """The share measured anew in each round, and the limit."""
    base(["unpack", "--out", str(folder)])
    renderer = Renderer(folder / "base", threads=torch.get_num_threads())

    def ours() -> float:
        figures = {figure.name: figure for figure in measure(renderer, RECIPE, rounds=1)}
        return figures[PROVENANCE].median

    return ours, lambda: LIMIT
