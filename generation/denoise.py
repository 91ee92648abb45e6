"""Classifier-free guided denoising of one batch of fixed shape.

Every forward pass has ``2 * recipe.batch`` rows, whatever is asked for. CPU and GPU kernels sum in an order that
depends on the shape of a batch but not on what stands in its other rows; with the shape fixed, an image is bitwise
the same whoever its neighbours are.
"""

from collections.abc import Callable

import torch

from generation.conditioning import Condition, time_ids
from generation.errors import Cancelled
from generation.loading import Parts
from generation.recipe import Recipe
from generation.samplers import SAMPLERS, Schedule, make_schedule

BatchNoise = Callable[[str, int], torch.Tensor]
OnStep = Callable[[int], None]
ShouldStop = Callable[[], bool]
Refine = Callable[[torch.Tensor, int], torch.Tensor]
Predict = Callable[[torch.Tensor, int], torch.Tensor]


def denoise(
    parts: Parts,
    recipe: Recipe,
    condition: Condition,
    noise: BatchNoise,
    *,
    start: torch.Tensor | None = None,
    strength: float = 1.0,
    refine: Refine | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> torch.Tensor:
    """Latents (B, C, h, w) float32 in the UNet's space, B being ``recipe.batch``.

    Args:
        condition: of the batch's B prompts, from `generation.conditioning.condition`.
        noise: ``noise(purpose, step)`` gives unit noise (B, C, h, w) float32 for "initial" and "ancestral".
        start: clean latents (B, C, h, w) float32 to begin from; None begins from noise alone.
        strength: with ``start``, the share of ``recipe.steps`` that is done, above 0 and at most 1.
        refine: ``refine(x0, i)`` may change the estimate of the clean latents in step i, such as put back what an
            inpainting must keep.
        on_step: called with the number of steps done, after each.
        should_stop: asked before each step; when true, Cancelled is raised.
    """
    schedule = schedule_of(parts, recipe, 1.0 if start is None else strength)
    predict = _guided_prediction(parts, recipe, condition, schedule)

    def denoiser(x: torch.Tensor, i: int) -> torch.Tensor:
        if should_stop is not None and should_stop():
            raise Cancelled(f"stopped before step {i + 1} of {len(schedule.timesteps)}")
        sigma = schedule.sigmas[i]
        output = predict(x / (sigma**2 + 1) ** 0.5, i)
        if on_step is not None:
            on_step(i + 1)
        x0 = _x0(parts.info.prediction_type, x, sigma, output)
        return x0 if refine is None else refine(x0, i)

    x = noise("initial", 0) * schedule.initial_scale
    if start is not None:
        x = x + start
    return SAMPLERS[recipe.sampler](denoiser, x, schedule.sigmas, lambda i: noise("ancestral", i))


def schedule_of(parts: Parts, recipe: Recipe, strength: float = 1.0) -> Schedule:
    """The noise levels that `denoise` visits; below strength 1 the last ones only."""
    schedule = make_schedule(recipe.steps, recipe.spacing, zero_snr=parts.info.zero_snr)
    return schedule if strength == 1 else schedule.last(strength)


def _guided_prediction(parts: Parts, recipe: Recipe, condition: Condition, schedule: Schedule) -> Predict:
    """The UNet's output moved away from the negative prompt: ``negative + cfg * (positive - negative)``."""
    text = condition.text
    sizes = time_ids(recipe.height, recipe.width, 2 * recipe.batch).to(parts.device, parts.dtype)
    added = {"text_embeds": text.pooled, "time_ids": sizes} if parts.family.pooled else None
    # A tensor, because a compiled UNet would take every new Python number for another program.
    timesteps = torch.tensor(schedule.timesteps, device=parts.device)

    def forward(both: torch.Tensor, i: int, length: int) -> torch.Tensor:
        output: torch.Tensor = parts.unet(
            both,
            timesteps[i],
            encoder_hidden_states=text.hidden[:, :length],
            encoder_attention_mask=text.mask[:, :length] if condition.masked else None,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return output.float()

    def predict(scaled: torch.Tensor, i: int) -> torch.Tensor:
        both = torch.cat([scaled, scaled]).to(parts.dtype)
        first, *others = condition.views
        output = forward(both, i, first.length)
        for view in others:
            output[view.rows] = forward(both, i, view.length)[view.rows]
        negative, positive = output.chunk(2)
        return negative + recipe.cfg * (positive - negative)

    return predict


def _x0(prediction_type: str, x: torch.Tensor, sigma: float, output: torch.Tensor) -> torch.Tensor:
    """The clean latents that a prediction of noise, or of velocity (Salimans & Ho 2022, appendix D), stands for."""
    if prediction_type == "epsilon":
        return x - sigma * output
    return x / (sigma**2 + 1) - output * (sigma / (sigma**2 + 1) ** 0.5)
