"""Modes of rendering besides plain text-to-image, as values: a picture to start from, a mask, further passes. No torch.

docs/modes.md describes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.errors import ImageError, RenderError
from generation.imageio import pixel_sha256
from generation.recipe import Recipe

MAX_PASSES = 4
MASK_THRESHOLD = 128


def check_strength(strength: object) -> None:
    """Raise ValueError unless 0 < strength <= 1."""
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= 1:
        raise ValueError(f"strength must be above 0 and at most 1, got {strength!r}")


@dataclass(frozen=True, slots=True)
class Pass:
    """A further image-to-image pass over the latents of the one before (SDEdit, Meng et al. 2021).

    Attributes:
        strength: share of ``steps`` that is done, above 0 and at most 1: 0.4 of 20 steps are the last 8.
        sampler, steps, spacing: as in a Recipe, and checked like there.
    """

    strength: float = 0.4
    sampler: str = "euler"
    steps: int = 20
    spacing: str = "trailing"

    def __post_init__(self) -> None:
        check_strength(self.strength)
        self.of(Recipe())

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe of this pass: everything but sampler, steps and spacing stays."""
        return replace(recipe, sampler=self.sampler, steps=self.steps, spacing=self.spacing)

    @property
    def done_steps(self) -> int:
        """How many steps the pass does."""
        return max(1, int(self.steps * self.strength))


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """What a batch begins with and what follows; as it is by default, text-to-image in one pass.

    Attributes:
        image: a picture to start from, in the recipe's size.
        strength: with an image, the share of the recipe's steps that is done; 1 keeps nothing but its colours' trace.
        mask: of the image's size; white (128 and above) is rendered anew, black is kept to the byte.
        passes: image-to-image passes after the first, in order.
    """

    image: Image.Image | None = None
    strength: float = 1.0
    mask: Image.Image | None = None
    passes: tuple[Pass, ...] = ()

    def __post_init__(self) -> None:
        check_strength(self.strength)
        if self.image is None and (self.mask is not None or self.strength != 1):
            raise ValueError("a mask and a strength below 1 need an image to start from")
        if len(self.passes) > MAX_PASSES:
            raise ValueError(f"{len(self.passes)} further passes; at most {MAX_PASSES} are possible")

    @property
    def name(self) -> str:
        """As the Manifest has it."""
        if self.image is None:
            return "text-to-image"
        return "image-to-image" if self.mask is None else "inpainting"

    def check(self, recipe: Recipe) -> None:
        """Raise RenderError when image or mask do not fit the recipe, or the mask keeps everything."""
        for what, picture in (("image", self.image), ("mask", self.mask)):
            if picture is not None and picture.size != (recipe.width, recipe.height):
                size, own = f"{recipe.width}x{recipe.height}", f"{picture.width}x{picture.height}"
                raise RenderError(f"the {what} is {own}, the recipe {size}: resize it, or give --width and --height")
        mask = self.mask_array()
        if mask is not None and not mask.any():
            raise RenderError(f"the mask is black everywhere: paint white ({MASK_THRESHOLD} or more) what shall change")

    def image_array(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) bytes."""
        return None if self.image is None else np.asarray(self.image.convert("RGB"))

    def mask_array(self) -> NDArray[np.bool_] | None:
        """(H, W), true where pixels are rendered anew."""
        return None if self.mask is None else np.asarray(self.mask.convert("L")) >= MASK_THRESHOLD

    def record(self) -> dict[str, Any]:
        """What the Manifest says beyond the name; empty for plain text-to-image, so its Manifests stay as they were."""
        record: dict[str, Any] = {}
        if self.image is not None:
            record["source"] = {"pixel_sha256": pixel_sha256(self.image), "strength": self.strength}
        if self.mask is not None:
            # Only the black and white that is used, so that another grey is no other mask.
            black_white = self.mask.convert("L").point(lambda grey: 255 * (grey >= MASK_THRESHOLD))
            record["source"]["mask_sha256"] = pixel_sha256(black_white)
        if self.passes:
            record["passes"] = [asdict(one) for one in self.passes]
        return record


PLAIN = Mode()


def mode_of(manifest: Mapping[str, Any], image: Image.Image | None = None, mask: Image.Image | None = None) -> Mode:
    """The Mode that a Manifest describes, with the pictures it was rendered from.

    Raises ImageError when a picture is missing or is another one.
    """
    source = manifest.get("source", {})
    for what, field, picture in (("image", "pixel_sha256", image), ("mask", "mask_sha256", mask)):
        if (field in source) != (picture is not None):
            need = "was rendered from" if field in source else "knows of no"
            raise ImageError(
                f"this image {need} a source {what}: {'give' if field in source else 'leave out'} --{what}"
            )
    passes = tuple(Pass(**_known(one)) for one in manifest.get("passes", ()))
    mode = Mode(image, source.get("strength", 1.0), mask, passes)
    for field, found in mode.record().get("source", {}).items():
        if found != source[field]:
            raise ImageError(f"the picture given is not the one it was rendered from: {field} differs")
    return mode


def _known(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in Pass.__dataclass_fields__}


def total_steps(recipe: Recipe, mode: Mode) -> int:
    """Sampling steps of one batch over all passes."""
    first = recipe.steps if mode.image is None else max(1, int(recipe.steps * mode.strength))
    return first + sum(one.done_steps for one in mode.passes)


def parse_passes(texts: Sequence[str]) -> tuple[Pass, ...]:
    """Passes from ``SAMPLER[:STEPS[:STRENGTH[:SPACING]]]``, as the command line has them. Raises ValueError."""
    kinds = (("sampler", str), ("steps", int), ("strength", float), ("spacing", str))
    passes = []
    for text in texts:
        words = text.split(":")
        if len(words) > len(kinds):
            raise ValueError(f"pass {text!r}: write SAMPLER:STEPS:STRENGTH:SPACING, such as euler:20:0.4")
        try:
            values = {name: kind(word) for (name, kind), word in zip(kinds, words, strict=False)}
            passes.append(Pass(**values))
        except ValueError as error:
            raise ValueError(f"pass {text!r}: {error}") from error
    return tuple(passes)
