"""Render an archived image again from its own Manifest and compare."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from generation.errors import ImageError
from generation.imageio import pixel_sha256, read_archive
from generation.loading import Origin
from generation.modes import Mode, mode_of
from generation.provenance import READABLE, as_schema_1, differing_fields, recorded_in
from generation.recipe import ImageRequest, Recipe, Upsampling
from generation.renderer import Rendered, Renderer
from generation.upscale import Enlargement, upscale

EXACT, CLOSE, DIFFERENT = 0, 3, 4
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of a comparison.

    Attributes:
        code: 0 exact; 3 within 1/255 in another environment; 4 otherwise.
        differing: dotted names of the Manifest fields that differ, and "pixels" when the pictures do.
        max_difference: largest difference of a channel value, 0..255, or None when nothing was rendered.
    """

    code: int
    differing: tuple[str, ...]
    max_difference: int | None


def verify(
    image: Image.Image,
    manifest: dict[str, Any],
    origin: Path | Origin,
    *,
    source: Image.Image | None = None,
    mask: Image.Image | None = None,
    device: str = "cpu",
) -> Verification:
    """Render again what ``manifest`` describes with the checkpoint at ``origin`` and compare with ``image``.

    ``source`` and ``mask`` are the pictures that it was rendered from, if any. Threads, dtype and compiler are taken
    from the Manifest, because they decide the last bits. Raises ImageError when the Manifest lacks a field or holds an
    impossible value, or a source is not the one it names, CheckpointError when the folder is not sound.
    """
    try:
        recipe, request = Recipe.from_dict(manifest["recipe"]), _request(manifest)
        threads, dtype = int(manifest["environment"]["threads"]), DTYPES[manifest["dtype"]]
        recorded, schema = manifest["checkpoint"]["sha256"], manifest["schema"]
        backend = manifest["environment"].get("compiled") or None
    except (KeyError, TypeError, ValueError) as error:
        raise ImageError(f"the manifest cannot be rendered again: {error!r}") from error
    if schema not in READABLE:
        raise ImageError(f"the manifest has schema {schema!r}, this version reads {' and '.join(map(str, READABLE))}")
    mode = mode_of(manifest, source, mask)
    renderer = Renderer(origin, device=device, threads=threads, dtype=dtype, compile_backend=backend)
    if renderer.info.sha256 != recorded:
        return Verification(DIFFERENT, ("checkpoint.sha256",), None)
    if manifest.get("mode") == "upscaling":
        again = _upscaled(renderer, recipe, request, mode, manifest)
    else:
        again = next(renderer.render(recipe, [request], mode=mode))
    return _compare(image, manifest, again.image, again.manifest)


def _request(manifest: dict[str, Any]) -> ImageRequest:
    """The text is the Manifest's own: what once upsampled it is not asked again."""
    upsampling = manifest.get("upsampling")
    return ImageRequest(manifest["prompt"], manifest["seed"], Upsampling(**upsampling) if upsampling else None)


def _upscaled(
    renderer: Renderer, recipe: Recipe, request: ImageRequest, mode: Mode, manifest: dict[str, Any]
) -> Rendered:
    assert mode.image is not None
    with TemporaryDirectory() as folder:
        out = Path(folder) / "again.png"
        upscale(renderer, recipe, request, mode.image, Enlargement(**manifest["upscaling"]), out)
        return Rendered(request, *read_archive(out.read_bytes()))


def _compare(
    image: Image.Image, manifest: dict[str, Any], again: Image.Image, again_manifest: dict[str, Any]
) -> Verification:
    # A first-generation Manifest lacks fields, and lists the second encoder's ids in full.
    if manifest["schema"] == 1:
        processor = {"processor": again_manifest["environment"]["processor"]}
        again_manifest = recorded_in(manifest, as_schema_1(again_manifest))
        # It does not name the processor, so that it may well have been another one.
        again_manifest["environment"] |= processor
    fields = differing_fields(manifest, again_manifest)
    difference = _max_difference(image, again)
    edited = manifest.get("pixel_sha256") != pixel_sha256(image)
    environment = [name for name in fields if name.startswith("environment.")]
    # A different picture has a different hash: that is the outcome, not a cause.
    others = [name for name in fields if name not in environment and name != "pixel_sha256"]
    if edited:
        others.append("pixel_sha256")
    pixels = ["pixels"] if difference else []
    if not others and not pixels:
        return Verification(EXACT, tuple(environment), difference)
    close = not others and bool(environment) and difference <= 1
    return Verification(CLOSE if close else DIFFERENT, (*others, *environment, *pixels), difference)


def _max_difference(one: Image.Image, other: Image.Image) -> int:
    if one.size != other.size:
        return 255
    left, right = (np.asarray(image.convert("RGB"), dtype=np.int16) for image in (one, other))
    return int(np.abs(left - right).max())
