"""Going to another checkpoint and back: our swap in place against diffusers' loading of a pipeline."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline

from generation.renderer import Renderer
from generation.store import ComponentStore
from training.base_cli import main as base


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Both ways of having the other checkpoint's weights in place; ours has read each of the two before."""
    base(["unpack", "--out", str(folder)])
    folders = [folder / "epoch-04", folder / "base"]
    renderer = Renderer(folders[1], threads=torch.get_num_threads(), store=ComponentStore())
    renderer.swap(folders[0])
    ours, theirs = cycle(reversed(folders)), cycle(folders)

    def swap() -> object:
        return renderer.swap(next(ours))

    def load() -> object:
        return StableDiffusionXLPipeline.from_pretrained(next(theirs), torch_dtype=torch.float32, local_files_only=True)

    return swap, load
