"""Our renderer against diffusers' own pipeline on the same checkpoint, prompts, steps and batch."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionXLPipeline

from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from training.base_cli import main as base

PROMPTS = ["1girl, solo, pink hair, twintails, blue eyes, smile, white background"] * 8
RECIPE = Recipe(sampler="euler_a", steps=12, cfg=2.0, width=64, height=64, negative_prompt="", batch=8)


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Both ways of rendering the same eight images, checkpoints already loaded."""
    base(["unpack", "--out", str(folder)])
    checkpoint = folder / "base"
    renderer = Renderer(checkpoint, threads=2)
    pipeline = StableDiffusionXLPipeline.from_pretrained(checkpoint, torch_dtype=torch.float32, local_files_only=True)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    requests = [ImageRequest(prompt, seed) for seed, prompt in enumerate(PROMPTS)]

    def ours() -> object:
        return list(renderer.render(RECIPE, requests))

    def theirs() -> object:
        generators = [torch.Generator().manual_seed(seed) for seed in range(len(PROMPTS))]
        return pipeline(
            PROMPTS, num_inference_steps=12, guidance_scale=2.0, width=64, height=64, negative_prompt=[""] * 8,
            generator=generators,
        )  # fmt: skip

    return ours, theirs
