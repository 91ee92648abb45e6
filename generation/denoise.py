"""Classifier-free guided denoising of one batch of fixed shape.

Every forward pass has ``2 * recipe.batch`` rows, whatever is asked for. CPU and GPU kernels sum in an order that
depends on the shape of a batch but not on what stands in its other rows; with the shape fixed, an image is bitwise
the same whoever its neighbours are.
"""

from collections.abc import Callable

import torch

from generation.conditioning import TextCondition, time_ids
from generation.errors import Cancelled
from generation.loading import Parts
from generation.recipe import Recipe
from generation.samplers import SAMPLERS, make_schedule

BatchNoise = Callable[[str, int], torch.Tensor]
OnStep = Callable[[int], None]
ShouldStop = Callable[[], bool]


def denoise(
    parts: Parts,
    recipe: Recipe,
    condition: TextCondition,
    noise: BatchNoise,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> torch.Tensor:
    """Latents (B, C, h, w) float32 in the UNet's space, B being ``recipe.batch``.

    Args:
        condition: 2B rows, the B negative prompts first.
        noise: ``noise(purpose, step)`` gives unit noise (B, C, h, w) float32 for "initial" and "ancestral".
        on_step: called with the number of steps done, after each.
        should_stop: asked before each step; when true, Cancelled is raised.
    """
    schedule = make_schedule(recipe.steps, recipe.spacing)
    predict = _guided_prediction(parts, recipe, condition)

    def denoiser(x: torch.Tensor, i: int) -> torch.Tensor:
        if should_stop is not None and should_stop():
            raise Cancelled(f"stopped before step {i + 1} of {recipe.steps}")
        sigma = schedule.sigmas[i]
        output = predict(x / (sigma**2 + 1) ** 0.5, schedule.timesteps[i])
        if on_step is not None:
            on_step(i + 1)
        return _x0(parts.info.prediction_type, x, sigma, output)

    x = noise("initial", 0) * schedule.initial_scale
    return SAMPLERS[recipe.sampler](denoiser, x, schedule.sigmas, lambda i: noise("ancestral", i))


def _guided_prediction(
    parts: Parts, recipe: Recipe, condition: TextCondition
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """The UNet's output moved away from the negative prompt: ``negative + cfg * (positive - negative)``."""
    sizes = time_ids(recipe.height, recipe.width, 2 * recipe.batch).to(parts.device, parts.dtype)
    added = {"text_embeds": condition.pooled, "time_ids": sizes}
    mask = condition.mask if parts.info.pad_mask else None

    def predict(scaled: torch.Tensor, timestep: int) -> torch.Tensor:
        output = parts.unet(
            torch.cat([scaled, scaled]).to(parts.dtype),
            timestep,
            encoder_hidden_states=condition.hidden,
            encoder_attention_mask=mask,
            added_cond_kwargs=added,
            return_dict=False,
        )[0].float()
        negative, positive = output.chunk(2)
        return negative + recipe.cfg * (positive - negative)

    return predict


def _x0(prediction_type: str, x: torch.Tensor, sigma: float, output: torch.Tensor) -> torch.Tensor:
    """The clean latents that a prediction of noise, or of velocity (Salimans & Ho 2022, appendix D), stands for."""
    if prediction_type == "epsilon":
        return x - sigma * output
    return x / (sigma**2 + 1) - output * (sigma / (sigma**2 + 1) ** 0.5)
