"""Our loop against the pipeline of diffusers, on the same folder, prompts and noise."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.schedulers import scheduling_euler_ancestral_discrete as reference
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from generation.conditioning import condition, encode_text, time_ids
from generation.denoise import denoise
from generation.errors import Cancelled
from generation.loading import load_parts
from generation.noise import gaussian
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.samplers import make_schedule

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
    return denoise(parts, recipe, condition(parts, recipe, PROMPTS), batch_noise)


def theirs(pipeline, recipe, output, scale=1.0):
    return pipeline(
        prompt=list(PROMPTS),
        negative_prompt=[recipe.negative_prompt] * 2,
        latents=batch_noise("initial", 0) * scale,
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


SIGMA = 14.6146  # one step from here to 0 multiplies the UNet's output by it
MIXED = ("1girl", "1boy, short hair, smile, solo, blue eyes")


def one_step(parts, prompts=MIXED, **fields):
    recipe = Recipe(steps=1, batch=2, negative_prompt="red hair, solo", **fields)
    with torch.inference_mode():
        return denoise(parts, recipe, condition(parts, recipe, prompts), batch_noise) / SIGMA


def test_masked_padding_equals_cutting_it_off_in_a_batch_of_mixed_lengths(parts):
    masked, minimal = one_step(parts, padding="masked"), one_step(parts, padding="minimal")
    torch.testing.assert_close(masked, minimal, atol=1e-5, rtol=0)
    assert (masked - one_step(parts, padding="full77")).abs().max() > 1e-3


def test_masked_padding_equals_the_unet_on_the_real_tokens_alone(parts):
    """By hand: both texts cut behind their last real token, one forward each, guidance."""
    recipe = Recipe(steps=1, batch=2, negative_prompt="red hair, solo", padding="masked")
    with torch.inference_mode():
        x = batch_noise("initial", 0) * SIGMA
        sides = []
        for text in (recipe.negative_prompt, "1girl, blue hair"):
            encoded = encode_text(parts, [text] * 2)
            real = int(encoded.mask[0].sum())
            added = {"text_embeds": encoded.pooled, "time_ids": time_ids(64, 64, 2)}
            scaled = x / (SIGMA**2 + 1) ** 0.5
            sides.append(parts.unet(scaled, 999, encoded.hidden[:, :real], added_cond_kwargs=added).sample)
        wanted = x - SIGMA * (sides[0] + recipe.cfg * (sides[1] - sides[0]))
    torch.testing.assert_close(
        one_step(parts, ["1girl, blue hair"] * 2, padding="masked"), wanted / SIGMA, atol=2e-5, rtol=0
    )


def test_without_a_policy_the_checkpoint_decides_about_padding(parts):
    assert torch.equal(one_step(with_info(parts, pad_mask=True)), one_step(parts, padding="masked"))
    assert torch.equal(one_step(with_info(parts, pad_mask=False)), one_step(parts, padding="full77"))


def test_an_empty_negative_prompt_may_stand_for_zeros(parts):
    recipe = Recipe(steps=1, batch=2, empty_negative="zero")
    text = condition(parts, recipe, PROMPTS).text
    assert text.hidden[:2].abs().max() == text.pooled[:2].abs().max() == 0
    assert torch.equal(text.hidden[2:], condition(parts, Recipe(batch=2), PROMPTS).text.hidden[2:])
    said = condition(parts, Recipe(batch=2, empty_negative="zero", negative_prompt="red hair"), PROMPTS).text
    assert said.hidden[:2].abs().max() > 0


def test_zeros_for_an_empty_negative_prompt_are_those_of_diffusers(parts, pipeline):
    forcing = StableDiffusionXLPipeline(**pipeline.components, force_zeros_for_empty_prompt=True)
    theirs = forcing.encode_prompt(list(PROMPTS), do_classifier_free_guidance=True)
    with torch.inference_mode():
        mine = condition(parts, Recipe(batch=2, empty_negative="zero"), PROMPTS).text
    torch.testing.assert_close(mine.hidden, torch.cat([theirs[1], theirs[0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(mine.pooled, torch.cat([theirs[3], theirs[2]]), atol=1e-6, rtol=0)


def test_image_to_image_begins_at_the_noise_level_of_its_strength(parts):
    """20 steps at strength 0.4 are 8 steps; the first x is latents + sigma * noise."""
    recipe = Recipe(sampler="euler", steps=20, batch=2)
    start, done, seen = torch.ones(2, *SHAPE), [], []

    def refine(x0, i):
        seen.append(x0)
        return start

    with torch.inference_mode():
        text = condition(parts, recipe, PROMPTS)
        end = denoise(parts, recipe, text, batch_noise, start=start, strength=0.4, on_step=done.append, refine=refine)
    assert done == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(seen) == 8
    # An estimate that never moves from the start leads back to it.
    torch.testing.assert_close(end, start, atol=1e-5, rtol=0)


def test_dpmpp_2m_karras_gives_the_latents_of_the_diffusers_pipeline(parts, pipeline, monkeypatch):
    recipe = Recipe(sampler="dpmpp_2m", spacing="karras", steps=6, cfg=4.0, batch=2)
    scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, use_karras_sigmas=True, algorithm_type="dpmsolver++", solver_order=2
    )
    monkeypatch.setattr(pipeline, "scheduler", scheduler)
    # This scheduler begins with noise of variance 1 where sigma^2 + 1 stands for noise and image together.
    wanted = theirs(pipeline, recipe, "latent", scale=SIGMA / (SIGMA**2 + 1) ** 0.5)

    def with_their_timesteps(*arguments, **options):
        """Diffusers cuts the timesteps between whole ones down to whole ones."""
        return dataclasses.replace(
            make_schedule(*arguments, **options), timesteps=tuple(scheduler.timesteps[:6].tolist())
        )

    monkeypatch.setattr("generation.denoise.make_schedule", with_their_timesteps)
    torch.testing.assert_close(ours(parts, recipe), wanted, atol=1e-4, rtol=0)


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
        text = condition(parts, recipe, PROMPTS)
        with pytest.raises(Cancelled, match="before step 3 of 4"):
            denoise(parts, recipe, text, batch_noise, on_step=done.append, should_stop=lambda: len(done) == 2)
    assert done == [1, 2]
