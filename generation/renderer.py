"""Render images of one checkpoint: requests in, pixels and Manifests out, a batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from generation.batch import BatchNoise, decode, latent_shape, to_image
from generation.checkpoint import CheckpointInfo
from generation.conditioning import condition
from generation.content import sent_prompt
from generation.denoise import ShouldStop
from generation.errors import Cancelled, RenderError
from generation.loading import Origin, Parts
from generation.manifest import check_sizes, own_manifest, shared_manifest
from generation.modes import PLAIN, Mode, total_steps
from generation.passes import put_back, run_passes
from generation.recipe import Broken, ImageRequest, Recipe
from generation.store import ComponentStore
from generation.swapping import Swap, Swapper

__all__ = ["Broken", "Cancelled", "ImageRequest", "RenderError", "Rendered", "Renderer"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished image, RGB, and its Manifest (plain JSON values)."""

    request: ImageRequest
    image: Image.Image
    manifest: dict[str, Any]


class Renderer:
    """Holds one checkpoint at a time in its modules and renders from it.

    An image depends on (checkpoint, recipe, prompt, seed, environment) and on nothing else: not on the other
    requests, not on its place among them, not on what was rendered before.
    """

    def __init__(
        self,
        origin: Path | Origin,
        *,
        device: str = "cpu",
        threads: int | None = None,
        dtype: torch.dtype = torch.float32,
        store: ComponentStore | None = None,
        device_budget: int = 0,
        compile_backend: str | None = None,
    ) -> None:
        """Load a checkpoint.

        Args:
            origin: a checkpoint folder, or an Origin: a single file, LoRAs.
            device: a torch device name.
            threads: CPU threads of this process while it renders; None leaves torch's own choice.
            dtype: of UNet and text encoders; the VAE is float32 always.
            store, device_budget, compile_backend: see `generation.swapping.Swapper`.

        Raises CheckpointError when the folder is not a sound checkpoint, ValueError for less than one thread.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._threads = threads
        self._compiled: str | bool = compile_backend or False
        self._swapper = Swapper(
            device=device, dtype=dtype, store=store, device_budget=device_budget, compile_backend=compile_backend
        )
        self._parts = self.swap(origin)

    def swap(self, origin: Path | Origin) -> Parts:
        """Go on with another checkpoint, in the same modules; `last_swap` says what it cost.

        Raises CheckpointError, and stays with the one before, when it is not sound.
        """
        self._parts = self._swapper.use(origin if isinstance(origin, Origin) else Origin(Path(origin)))
        return self._parts

    @property
    def last_swap(self) -> Swap | None:
        """Time and bytes of the last change of checkpoint."""
        return self._swapper.last

    @property
    def parts(self) -> Parts:
        """The loaded components, for other modes of rendering."""
        return self._parts

    @property
    def info(self) -> CheckpointInfo:
        """What the loaded checkpoint says of itself."""
        return self._parts.info

    def render(
        self,
        recipe: Recipe,
        requests: Sequence[ImageRequest],
        *,
        mode: Mode = PLAIN,
        on_step: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Rendered]:
        """Render the requests in order; images come out as their batch of ``recipe.batch`` rows is finished.

        Args:
            mode: from what, and with which further passes; by default plain text-to-image.
            on_step: called as ``on_step(done, total)``, in sampling steps over all batches.
            should_stop: asked before each step; when true, Cancelled is raised and its batch is lost.

        Raises RenderError as `attempt` does, and later, in place of an image, when that image is broken; images before
        it have been delivered.
        """
        return _sound(self.attempt(recipe, requests, mode=mode, on_step=on_step, should_stop=should_stop))

    def attempt(
        self,
        recipe: Recipe,
        requests: Sequence[ImageRequest],
        *,
        mode: Mode = PLAIN,
        on_step: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Rendered | Broken]:
        """As `render`, but a broken image comes as Broken in its place, and those after it still come.

        Raises RenderError at once when the recipe's size does not fit the checkpoint or the mode, or a prompt is banned
        or too long for its Manifest.
        """
        latent_shape(self._parts, recipe.width, recipe.height)
        mode.check(recipe)
        check_sizes(self._parts, recipe, requests, mode, compiled=self._compiled)
        return self._batches(recipe, mode, tuple(requests), on_step, should_stop)

    def _batches(
        self,
        recipe: Recipe,
        mode: Mode,
        requests: tuple[ImageRequest, ...],
        on_step: Progress | None,
        should_stop: ShouldStop | None,
    ) -> Iterator[Rendered | Broken]:
        starts = range(0, len(requests), recipe.batch)
        begun = self._parts
        steps = total_steps(recipe, mode)
        total = len(starts) * steps
        for number, start in enumerate(starts):

            def report(step: int, before: int = number * steps) -> None:
                if on_step is not None:
                    on_step(before + step, total)

            if self._parts is not begun:
                raise RenderError("another checkpoint was put in while this one was rendering; render first, then swap")
            yield from self._batch(recipe, mode, requests[start : start + recipe.batch], report, should_stop)

    def _batch(
        self,
        recipe: Recipe,
        mode: Mode,
        requests: tuple[ImageRequest, ...],
        report: Callable[[int], None],
        should_stop: ShouldStop | None,
    ) -> Iterator[Rendered | Broken]:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        parts = self._parts  # these say the same of themselves after a swap between two images
        latents, noise = self._latents(recipe, mode, requests, report, should_stop)
        images = self._images(mode, requests, latents)
        if any(isinstance(image, Broken) for image in images):
            images = self._images(mode, requests, latents)
        shared = shared_manifest(parts, recipe, mode, compiled=self._compiled)
        for request, image in zip(requests, images, strict=True):
            if isinstance(image, Broken):
                yield image
            else:
                own = own_manifest(parts, recipe, mode, request, noise, image)
                yield Rendered(request, image, {**shared, **own})

    @torch.inference_mode()
    def _images(
        self, mode: Mode, requests: tuple[ImageRequest, ...], latents: torch.Tensor
    ) -> list[Image.Image | Broken]:
        """The requests' images out of the batch's latents.

        The whole batch is decoded, in float32 as always, because its shape decides the last bits: an image that a
        second attempt saves is the one that an undisturbed first attempt gives.
        """
        pictures = decode(self._parts, latents)[: len(requests)]
        return [_image(request, put_back(mode, one)) for request, one in zip(requests, pictures, strict=True)]

    @torch.inference_mode()
    def _latents(
        self,
        recipe: Recipe,
        mode: Mode,
        requests: tuple[ImageRequest, ...],
        report: Callable[[int], None],
        should_stop: ShouldStop | None,
    ) -> tuple[torch.Tensor, BatchNoise]:
        """The batch (B, C, h, w) and the noise it came from; rows beyond the requests repeat the first one."""
        parts = self._parts
        rows = requests + requests[:1] * (recipe.batch - len(requests))
        noise = BatchNoise([row.seed for row in rows], latent_shape(parts, recipe.width, recipe.height), parts.device)
        text = condition(parts, recipe, [sent_prompt(recipe, row.prompt) for row in rows])
        return run_passes(parts, recipe, mode, text, noise, on_step=report, should_stop=should_stop), noise


def _image(request: ImageRequest, picture: torch.Tensor) -> Image.Image | Broken:
    try:
        return to_image(request, picture)
    except RenderError as error:
        return Broken(request, str(error))


def _sound(outcomes: Iterator[Rendered | Broken]) -> Iterator[Rendered]:
    for outcome in outcomes:
        if isinstance(outcome, Broken):
            raise RenderError(outcome.problem)
        yield outcome
