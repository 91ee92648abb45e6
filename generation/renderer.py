"""Render images of one checkpoint: requests in, pixels and Manifests out, a batch at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from generation.checkpoint import CheckpointInfo
from generation.conditioning import encode_text, tokenise
from generation.denoise import ShouldStop, denoise
from generation.errors import Cancelled, RenderError
from generation.imageio import pixel_sha256
from generation.loading import Parts, load_parts
from generation.noise import gaussian, noise_sha256
from generation.provenance import SCHEMA, checkpoint_record, environment
from generation.recipe import ImageRequest, Recipe
from generation.samplers import make_schedule

__all__ = ["Cancelled", "ImageRequest", "RenderError", "Rendered", "Renderer"]

Progress = Callable[[int, int], None]
SIGMA_DECIMALS = 5


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished image, RGB, and its Manifest (plain JSON values)."""

    request: ImageRequest
    image: Image.Image
    manifest: dict[str, Any]


class Renderer:
    """Holds one checkpoint in memory and renders from it.

    An image depends on (checkpoint, recipe, prompt, seed, environment) and on nothing else: not on the other
    requests, not on its place among them, not on what was rendered before.
    """

    def __init__(
        self, folder: Path, *, device: str = "cpu", threads: int | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        """Load the checkpoint in ``folder``.

        Args:
            device: a torch device name.
            threads: CPU threads of this process while it renders; None leaves torch's own choice.
            dtype: of UNet and text encoders; the VAE is float32 always.

        Raises CheckpointError when the folder is not a sound checkpoint, ValueError for less than one thread.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._threads = threads
        self._parts: Parts = load_parts(folder, device=device, dtype=dtype)

    @property
    def info(self) -> CheckpointInfo:
        """What the loaded checkpoint says of itself."""
        return self._parts.info

    def render(
        self,
        recipe: Recipe,
        requests: Sequence[ImageRequest],
        *,
        on_step: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Rendered]:
        """Render the requests in order; images come out as their batch of ``recipe.batch`` rows is finished.

        Args:
            on_step: called as ``on_step(done, total)``, in sampling steps over all batches.
            should_stop: asked before each step; when true, Cancelled is raised and its batch is lost.

        Raises RenderError at once when the recipe's size does not fit the checkpoint, and later, in place of an
        image, when that image has NaN or constant pixels; images before it have been delivered.
        """
        self._check_size(recipe)
        return self._batches(recipe, tuple(requests), on_step, should_stop)

    def _batches(
        self,
        recipe: Recipe,
        requests: tuple[ImageRequest, ...],
        on_step: Progress | None,
        should_stop: ShouldStop | None,
    ) -> Iterator[Rendered]:
        starts = range(0, len(requests), recipe.batch)
        total = len(starts) * recipe.steps
        for number, start in enumerate(starts):

            def report(step: int, before: int = number * recipe.steps) -> None:
                if on_step is not None:
                    on_step(before + step, total)

            yield from self._batch(recipe, requests[start : start + recipe.batch], report, should_stop)

    def _batch(
        self,
        recipe: Recipe,
        requests: tuple[ImageRequest, ...],
        report: Callable[[int], None],
        should_stop: ShouldStop | None,
    ) -> Iterator[Rendered]:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        pixels = self._pixels(recipe, requests, report, should_stop)
        shared = self._shared_manifest(recipe)
        for request, picture in zip(requests, pixels, strict=False):
            image = _to_image(request, picture)
            yield Rendered(request, image, {**shared, **self._own_manifest(recipe, request, image)})

    @torch.inference_mode()
    def _pixels(
        self,
        recipe: Recipe,
        requests: tuple[ImageRequest, ...],
        report: Callable[[int], None],
        should_stop: ShouldStop | None,
    ) -> torch.Tensor:
        """The batch (B, 3, H, W) in -1..1 on the CPU; rows beyond the requests repeat the first one."""
        parts = self._parts
        rows = requests + requests[:1] * (recipe.batch - len(requests))
        shape = self._latent_shape(recipe)

        def noise(purpose: str, step: int) -> torch.Tensor:
            drawn = np.stack([gaussian(row.seed, purpose, step, shape) for row in rows])
            return torch.from_numpy(drawn).to(parts.device)

        condition = encode_text(parts, [recipe.negative_prompt] * recipe.batch + [row.prompt for row in rows])
        latents = denoise(parts, recipe, condition, noise, on_step=report, should_stop=should_stop)
        decoded: torch.Tensor = parts.vae.decode(latents * parts.latent_std + parts.latent_mean, return_dict=False)[0]
        return decoded.float().cpu()

    def _latent_shape(self, recipe: Recipe) -> tuple[int, int, int]:
        factor = self._parts.latent_factor
        return int(self._parts.unet.config.in_channels), recipe.height // factor, recipe.width // factor

    def _check_size(self, recipe: Recipe) -> None:
        levels = len(self._parts.unet.config.block_out_channels) - 1
        multiple = self._parts.latent_factor * 2**levels
        if recipe.width % multiple or recipe.height % multiple:
            raise RenderError(
                f"size {recipe.width}x{recipe.height} does not fit {self.info.name}: "
                f"both sides must be multiples of {multiple} pixels"
            )

    def _shared_manifest(self, recipe: Recipe) -> dict[str, Any]:
        schedule = make_schedule(recipe.steps, recipe.spacing)
        return {
            "schema": SCHEMA,
            "checkpoint": checkpoint_record(self.info),
            "recipe": recipe.to_dict(),
            "recipe_sha256": recipe.sha256,
            "negative_tokens": self._tokens(recipe.negative_prompt),
            "schedule": {
                "timesteps": list(schedule.timesteps),
                "sigmas": [round(sigma, SIGMA_DECIMALS) for sigma in schedule.sigmas],
            },
            "batch_shape": [recipe.batch, *self._latent_shape(recipe)],
            "dtype": str(self._parts.dtype).removeprefix("torch."),
            "environment": environment(
                threads=torch.get_num_threads(),
                device=_device_name(self._parts.device),
                cpu_capability=torch.backends.cpu.get_cpu_capability(),
            ),
        }

    def _own_manifest(self, recipe: Recipe, request: ImageRequest, image: Image.Image) -> dict[str, Any]:
        return {
            "prompt": request.prompt,
            "seed": request.seed,
            "tokens": self._tokens(request.prompt),
            "noise_sha256": noise_sha256(gaussian(request.seed, "initial", 0, self._latent_shape(recipe))),
            "pixel_sha256": pixel_sha256(image),
        }

    def _tokens(self, text: str) -> Mapping[str, Any]:
        """Ids per text encoder without padding, and where the text was cut: ``text[cut_from:]`` had no effect."""
        both = [tokenise(t, text, self._parts.max_tokens) for t in (self._parts.tokenizer, self._parts.tokenizer_2)]
        return {
            "ids": [list(one.ids[: one.length]) for one in both],
            "cut_tokens": [len(one.cut) for one in both],
            "cut_from": [one.cut_from for one in both],
        }


def _to_image(request: ImageRequest, picture: torch.Tensor) -> Image.Image:
    """(3, H, W) in -1..1 to RGB bytes; a broken picture raises RenderError instead of reaching a voter."""
    if not bool(torch.isfinite(picture).all()):
        raise RenderError(f"seed {request.seed}, prompt {request.prompt!r}: the image has NaN or infinite pixels")
    scaled = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    if bool((scaled == scaled[:, :1, :1]).all()):
        raise RenderError(f"seed {request.seed}, prompt {request.prompt!r}: the image is one flat colour")
    return Image.fromarray(scaled.permute(1, 2, 0).contiguous().numpy())


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return device.type
    return f"cuda {torch.version.cuda} {torch.cuda.get_device_name(device)}"
