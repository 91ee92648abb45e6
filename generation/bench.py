"""How fast a checkpoint renders here, what a change of checkpoint costs, and what provenance adds.

Figures of one machine at one time; `make bench` compares with other packages. Nothing is asserted.
"""

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from generation.batch import BatchNoise, latent_shape
from generation.conditioning import condition
from generation.denoise import denoise
from generation.imageio import archive_png
from generation.loading import Origin
from generation.manifest import own_manifest, shared_manifest
from generation.modes import PLAIN
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Rendered, Renderer

PROMPT = "1girl, solo, long hair, blue eyes, smile"
TERA = 1e12
PROVENANCE = "manifest and PNG"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: a name, its unit, and a value for each round."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def range(self) -> tuple[float, float]:
        """Least and most."""
        return min(self.values), max(self.values)


def measure(
    renderer: Renderer,
    recipe: Recipe,
    *,
    rounds: int,
    others: Sequence[Origin] = (),
    back: Origin | None = None,
    peak_tflops: float | None = None,
    on_round: Callable[[int], None] | None = None,
) -> list[Figure]:
    """Render full batches, then swap between checkpoints.

    Args:
        rounds: that count; one more before them warms up (and compiles).
        others: checkpoints to change to, with ``back`` as the one to return to.
        peak_tflops: what the device can do at most; gives the used share of it.
        on_round: called with the number of finished rounds.
    """
    requests = [ImageRequest(PROMPT, seed) for seed in range(recipe.batch)]
    images, seconds, provenance = list[Rendered](), list[float](), list[float]()
    for number in range(rounds + 1):
        begin = time.perf_counter()
        images = list(renderer.render(recipe, requests))
        archives = [archive_png(image.image, image.manifest) for image in images]
        seconds.append(time.perf_counter() - begin)
        provenance.append(_provenance_seconds(renderer, recipe, images) / seconds[-1])
        if on_round is not None and archives:
            on_round(number)
    figures = [
        Figure("images", "1/s", tuple(recipe.batch / value for value in seconds[1:])),
        Figure(PROVENANCE, "%", tuple(100 * value for value in provenance[1:])),
    ]
    work = tflop_per_image(renderer, recipe)
    rates = tuple(work * recipe.batch / value for value in seconds[1:])
    figures += [Figure("work of an image", "TFLOP", (work,)), Figure("rate of work", "TFLOP/s", rates)]
    if peak_tflops is not None:
        figures.append(Figure("used of the peak", "%", tuple(100 * rate / peak_tflops for rate in rates)))
    return figures + _swaps(renderer, others, back, rounds)


def tflop_per_image(renderer: Renderer, recipe: Recipe) -> float:
    """Floating-point operations of one image, in 10^12, as torch counts them: one step times steps, and the VAE."""
    parts = renderer.parts
    one_step = _counted(lambda: _denoise(renderer, recipe, 1))
    latents = torch.zeros(1, *latent_shape(parts, recipe.width, recipe.height), device=parts.device)
    decoding = _counted(lambda: parts.vae.decode(latents))
    return (one_step * recipe.steps / recipe.batch + decoding) / TERA


def _denoise(renderer: Renderer, recipe: Recipe, steps: int) -> torch.Tensor:
    parts = renderer.parts
    short = Recipe.from_dict({**recipe.to_dict(), "steps": steps, "sampler": "euler"})
    noise = BatchNoise(range(recipe.batch), latent_shape(parts, recipe.width, recipe.height), parts.device)
    return denoise(parts, short, condition(parts, short, [PROMPT] * recipe.batch), noise)


@torch.inference_mode()
def _counted(work: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def _provenance_seconds(renderer: Renderer, recipe: Recipe, images: Sequence[Rendered]) -> float:
    """What the Manifests and PNGs of these images take by themselves, hashes of their noise included."""
    parts = renderer.parts
    shape = latent_shape(parts, recipe.width, recipe.height)
    noise = BatchNoise([image.request.seed for image in images], shape, parts.device)
    drawn = noise("initial", 0).cpu().numpy()
    begin = time.perf_counter()
    for _ in range(recipe.steps):
        hashlib.sha256(drawn.tobytes())
    shared_manifest(parts, recipe)
    for image in images:
        own_manifest(parts, recipe, PLAIN, image.request, noise, image.image)
        archive_png(image.image, image.manifest)
    return time.perf_counter() - begin


def _swaps(renderer: Renderer, others: Sequence[Origin], back: Origin | None, rounds: int) -> list[Figure]:
    """Every checkpoint in turn, first from its files, then from memory as far as the store's budget goes."""
    if not others or back is None:
        return []
    first, later, moved = list[float](), list[float](), list[float]()
    for origin in (*others, back) * (rounds + 1):
        renderer.swap(origin)
        swap = renderer.last_swap
        if swap is not None:
            (first if swap.read else later).append(swap.seconds)
            moved.append(swap.bytes / 1e6)
    figures = [Figure("swap, read from files", "s", tuple(first))] if first else []
    figures += [Figure("swap, from memory", "s", tuple(later))] if later else []
    return [*figures, Figure("swap, copied", "MB", tuple(moved))]
