"""Our renderer against diffusers' own pipeline on the same checkpoint, prompts, steps, noise and batch.

Before anything is timed both make latents from the same noise; more than 1e-4 apart ends the race.
"""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionXLPipeline

from generation.batch import BatchNoise, latent_shape
from generation.conditioning import condition
from generation.denoise import denoise
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from training.base_cli import main as base

PROMPTS = ["1girl, solo, pink hair, twintails, blue eyes, smile, white background"] * 8
RECIPE = Recipe(sampler="euler_a", steps=12, cfg=2.0, width=64, height=64, negative_prompt="", batch=8)
TOLERANCE = 1e-4
THEIR_NOISE = "diffusers.schedulers.scheduling_euler_ancestral_discrete.randn_tensor"


def workers(folder: Path, *, compile_backend: str | None = None) -> tuple[Callable[[], object], Callable[[], object]]:
    """Both ways of rendering the same eight images, checkpoints already loaded."""
    base(["unpack", "--out", str(folder)])
    checkpoint = folder / "base"
    renderer = Renderer(checkpoint, threads=torch.get_num_threads(), compile_backend=compile_backend)
    pipeline = StableDiffusionXLPipeline.from_pretrained(checkpoint, torch_dtype=torch.float32, local_files_only=True)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing=RECIPE.spacing
    )
    pipeline.set_progress_bar_config(disable=True)
    requests = [ImageRequest(prompt, seed) for seed, prompt in enumerate(PROMPTS)]

    def ours() -> object:
        return list(renderer.render(RECIPE, requests))

    def theirs(**more: object) -> object:
        generators = [torch.Generator().manual_seed(seed) for seed in range(len(PROMPTS))]
        return pipeline(
            PROMPTS, num_inference_steps=12, guidance_scale=2.0, width=64, height=64, negative_prompt=[""] * 8,
            generator=generators, **more,
        ).images  # fmt: skip

    refuse_unequal(renderer, theirs)
    return ours, theirs


@torch.inference_mode()
def refuse_unequal(renderer: Renderer, theirs: Callable[..., object]) -> None:
    """Raise ValueError when the latents from equal noise are not equal."""
    parts = renderer.parts
    noise = BatchNoise(range(len(PROMPTS)), latent_shape(parts, RECIPE.width, RECIPE.height), parts.device)
    mine = denoise(parts, RECIPE, condition(parts, RECIPE, PROMPTS), noise)
    steps = iter(range(RECIPE.steps))
    with mock.patch(THEIR_NOISE, side_effect=lambda *_, **__: noise("ancestral", next(steps))):
        other = theirs(latents=noise("initial", 0), output_type="latent")
    apart = float((mine - torch.as_tensor(other)).abs().max())
    if not apart <= TOLERANCE:
        raise ValueError(f"latents are {apart:.2g} apart, {TOLERANCE} is the limit: this is no race")
