"""Our loop against the pipeline of diffusers, on the same folder, prompts and noise."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.schedulers import scheduling_euler_ancestral_discrete as reference
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from generation.conditioning import encode_text
from generation.denoise import denoise
from generation.errors import Cancelled
from generation.loading import load_parts
from generation.noise import gaussian
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PROMPTS = ("1girl, blue hair", "1boy, short hair, smile, solo")
SEEDS = (11, 12)
SHAPE = (4, 16, 16)


@pytest.fixture(scope="module")
def parts(tiny):
    return load_parts(tiny)


@pytest.fixture(scope="module")
def pipeline(tiny):
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny, local_files_only=True, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def batch_noise(purpose, step):
    return torch.from_numpy(np.stack([gaussian(seed, purpose, step, SHAPE) for seed in SEEDS]))


@torch.inference_mode()
def ours(parts, recipe):
    condition = encode_text(parts, [recipe.negative_prompt] * 2 + list(PROMPTS))
    return denoise(parts, recipe, condition, batch_noise)


def theirs(pipeline, recipe, output):
    return pipeline(
        prompt=list(PROMPTS),
        negative_prompt=[recipe.negative_prompt] * 2,
        latents=batch_noise("initial", 0),
        num_inference_steps=recipe.steps,
        guidance_scale=recipe.cfg,
        width=recipe.width,
        height=recipe.height,
        output_type=output,
    ).images


def inject_ancestral_noise(monkeypatch):
    steps = iter(range(1000))
    monkeypatch.setattr(reference, "randn_tensor", lambda *a, **k: batch_noise("ancestral", next(steps)))


@pytest.mark.parametrize("negative", ["", "red hair"])
def test_euler_ancestral_gives_the_latents_of_the_diffusers_pipeline(parts, pipeline, monkeypatch, negative):
    recipe = Recipe(steps=5, cfg=4.0, batch=2, negative_prompt=negative)
    inject_ancestral_noise(monkeypatch)
    torch.testing.assert_close(ours(parts, recipe), theirs(pipeline, recipe, "latent"), atol=1e-4, rtol=0)


def test_euler_gives_the_latents_of_the_diffusers_pipeline(parts, pipeline, monkeypatch):
    recipe = Recipe(sampler="euler", steps=5, cfg=4.0, batch=2)
    monkeypatch.setattr(pipeline, "scheduler", EulerDiscreteScheduler.from_config(pipeline.scheduler.config))
    torch.testing.assert_close(ours(parts, recipe), theirs(pipeline, recipe, "latent"), atol=1e-4, rtol=0)


def test_the_renderer_gives_the_pixels_of_the_diffusers_pipeline(tiny, pipeline, monkeypatch):
    recipe = Recipe(steps=5, cfg=4.0, batch=2)
    inject_ancestral_noise(monkeypatch)
    wanted = theirs(pipeline, recipe, "pil")
    requests = [ImageRequest(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
    for rendered, image in zip(Renderer(tiny).render(recipe, requests), wanted, strict=True):
        difference = np.abs(np.asarray(rendered.image, dtype=int) - np.asarray(image, dtype=int))
        assert difference.max() <= 1


def with_info(parts, **changes):
    return dataclasses.replace(parts, info=dataclasses.replace(parts.info, **changes))


def test_a_checkpoint_with_pad_mask_never_sees_its_padding(parts):
    """Masking must equal cutting the padding off, here behind the seventh and last real token."""
    recipe = Recipe(steps=1, batch=2, negative_prompt="red hair, solo")
    texts = [recipe.negative_prompt] * 2 + ["1girl, blue hair"] * 2
    with torch.inference_mode():
        full = encode_text(parts, texts)
        lengths = full.mask.sum(dim=1).int().tolist()
        assert lengths == [6, 6, 7, 7]
        masked = denoise(with_info(parts, pad_mask=True), recipe, full, batch_noise)
        seven = dataclasses.replace(full, hidden=full.hidden[:, :7], mask=full.mask[:, :7])
        cut = denoise(with_info(parts, pad_mask=True), recipe, seven, batch_noise)
        unmasked = denoise(parts, recipe, full, batch_noise)
    sigma = 14.6146  # one step from here to 0 multiplies the UNet's output by it
    torch.testing.assert_close(masked / sigma, cut / sigma, atol=1e-5, rtol=0)
    assert (masked - unmasked).abs().max() > 1e-3


def test_velocity_prediction_is_not_taken_for_noise(parts):
    """With one step from sigma to 0 the result is x0 itself: both readings of one output, by their formulas."""
    recipe = Recipe(sampler="euler", steps=1, cfg=1.0, batch=2)
    with torch.inference_mode():
        as_noise = ours(parts, recipe)
        as_velocity = ours(with_info(parts, prediction_type="v_prediction"), recipe)
    sigma = 14.6146
    x = batch_noise("initial", 0) * sigma
    output = (x - as_noise) / sigma
    wanted = (x - sigma * (sigma**2 + 1) ** 0.5 * output) / (sigma**2 + 1)
    torch.testing.assert_close(as_velocity, wanted, atol=1e-3, rtol=0)


def test_progress_is_told_after_each_step_and_stopping_is_obeyed_before_the_next(parts):
    recipe = Recipe(steps=4, batch=2)
    done = []
    with torch.inference_mode():
        condition = encode_text(parts, [""] * 2 + list(PROMPTS))
        with pytest.raises(Cancelled, match="before step 3 of 4"):
            denoise(parts, recipe, condition, batch_noise, on_step=done.append, should_stop=lambda: len(done) == 2)
    assert done == [1, 2]
