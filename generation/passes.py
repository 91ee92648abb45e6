"""The latents of one batch in any Mode: the first pass from noise or a picture, then the further ones."""

from collections.abc import Callable

import torch

from generation.batch import BatchNoise, encode
from generation.conditioning import Condition
from generation.denoise import ShouldStop, denoise
from generation.loading import Parts
from generation.modes import Mode, total_steps
from generation.recipe import Recipe

OnStep = Callable[[int], None]


def run_passes(
    parts: Parts,
    recipe: Recipe,
    mode: Mode,
    condition: Condition,
    noise: BatchNoise,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> torch.Tensor:
    """Latents (B, C, h, w) float32 in the UNet's space after all passes of the mode.

    Noise of the first pass has the purposes "initial" and "ancestral", of further ones "pass1/initial" and so on; so
    an image without further passes has the noise it always had.
    """
    pixels = source_pixels(mode, recipe)
    start = None if pixels is None else encode(parts, pixels).expand(recipe.batch, -1, -1, -1)
    keep = _keep(parts, mode)
    done, total = 0, total_steps(recipe, mode)

    def refine(x0: torch.Tensor, _: int) -> torch.Tensor:
        assert start is not None
        assert keep is not None
        return torch.where(keep, start, x0)

    def report(step: int) -> None:
        if on_step is not None:
            on_step(min(done + step, total))

    def one(recipe: Recipe, begin: torch.Tensor | None, strength: float, prefix: str) -> torch.Tensor:
        return denoise(
            parts,
            recipe,
            condition,
            lambda purpose, step: noise(f"{prefix}{purpose}", step),
            start=begin,
            strength=strength,
            refine=None if keep is None else refine,
            on_step=report,
            should_stop=should_stop,
        )

    latents = one(recipe, start, mode.strength, "")
    done = total - sum(later.done_steps for later in mode.passes)
    for number, later in enumerate(mode.passes, 1):
        latents = one(later.of(recipe), latents, later.strength, f"pass{number}/")
        done += later.done_steps
    return latents


def source_pixels(mode: Mode, recipe: Recipe) -> torch.Tensor | None:
    """The mode's image as (1, 3, H, W) float32 in -1..1."""
    array = mode.image_array()
    if array is None:
        return None
    mode.check(recipe)
    return torch.from_numpy(array.copy()).permute(2, 0, 1).unsqueeze(0).float() / 127.5 - 1


def put_back(mode: Mode, picture: torch.Tensor) -> torch.Tensor:
    """A rendered picture (3, H, W) in -1..1 with the source's own values where the mask keeps them.

    The byte is the source's byte again after ``generation.batch.to_image``: it rounds to the nearest of 256 levels.
    """
    mask, array = mode.mask_array(), mode.image_array()
    if mask is None or array is None:
        return picture
    known = torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 127.5 - 1
    return torch.where(torch.from_numpy(mask), picture, known)


def _keep(parts: Parts, mode: Mode) -> torch.Tensor | None:
    """(1, 1, h, w), true for latent cells without a single pixel to be rendered anew."""
    mask = mode.mask_array()
    if mask is None:
        return None
    changed = torch.from_numpy(mask)[None, None].float()
    return torch.nn.functional.max_pool2d(changed, parts.latent_factor).to(parts.device) == 0
