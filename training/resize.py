"""Pictures above 4 MP made smaller: NEAREST by a whole factor, then LANCZOS (section 3.1.2; docs/resizing.md)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from training.prune import MEGAPIXEL
from training.rng import Draws

MIXES = ("two_step", "coin")
ENCODINGS = ("same", "jpeg", "png", "webp")
JPEG_FAMILY = frozenset({"JPEG", "MPO"})
ORIENTATION = 0x0112  # EXIF's number for it
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


class BadImage(Exception):
    """An image file that cannot be decoded; the message says why."""


@contextmanager
def decoding(message: str = "cannot be decoded") -> Iterator[None]:
    """Anything raised within as BadImage: for damaged files Pillow's decoders raise errors of every kind."""
    try:
        yield
    except BadImage:
        raise
    except Exception as error:
        # Pillow's words for a file of no known kind hold an address, which would differ from run to run.
        words = "of no known kind" if isinstance(error, UnidentifiedImageError) else str(error)[:200]
        raise BadImage(f"{message}: {words}") from error


@dataclass(frozen=True)
class ResizeConfig:
    """When and how pictures are made smaller.

    Attributes:
        max_pixels: larger pictures are brought to at most this; smaller ones stay as they are, byte for byte.
        mix: ``two_step`` is NEAREST by the largest whole factor that leaves at least twice the target, then LANCZOS
            (A13); ``coin`` draws one of the two filters for each picture.
        encoding: of pictures made smaller: ``same`` (JPEG stays JPEG, anything else becomes PNG), jpeg, png or webp.
        quality: of JPEG and WebP, 1..100; JPEG without chroma subsampling.

    Raises:
        ValueError: a value outside its range.
    """

    max_pixels: int = 4 * MEGAPIXEL
    mix: str = "two_step"
    encoding: str = "same"
    quality: int = 95

    def __post_init__(self) -> None:
        if self.mix not in MIXES:
            raise ValueError(f"mix must be one of {', '.join(MIXES)}, got {self.mix!r}")
        if self.encoding not in ENCODINGS:
            raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}, got {self.encoding!r}")
        if self.max_pixels < 1 or not 1 <= self.quality <= 100:
            raise ValueError("max_pixels must be at least 1, quality from 1 to 100")


@dataclass(frozen=True)
class Resized:
    """An image file as it goes into the prepared set: its bytes, size in pixels and file name extension."""

    data: bytes
    width: int
    height: int
    extension: str


def target_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of at most ``max_pixels`` with the same ratio, less than one pixel off at either side.

    The shorter side is rounded down first and the longer one follows from it: rounding both would cost an elongated
    picture several pixels of its ratio.
    """
    if width * height <= max_pixels:
        return width, height
    short, long = sorted((width, height))
    new_short = max(1, math.floor(short * math.sqrt(max_pixels / (width * height))))
    new_long = new_short * long // short
    return (new_short, new_long) if width <= height else (new_long, new_short)


def nearest_factor(size: tuple[int, int], target: tuple[int, int]) -> int:
    """The largest whole factor by which ``size`` can shrink and still be twice ``target`` on both sides; at least 1."""
    return max(1, min(size[0] // (2 * target[0]), size[1] // (2 * target[1])))


def shrink(image: Image.Image, target: tuple[int, int], mix: str = "two_step", coin: bool = False) -> Image.Image:
    """``image`` at the size ``target``; ``coin`` chooses NEAREST where ``mix`` is ``coin``."""
    if image.size == target:
        return image
    if mix == "coin":
        return image.resize(target, Image.Resampling.NEAREST if coin else Image.Resampling.LANCZOS)
    factor = nearest_factor(image.size, target)
    if factor > 1:
        width, height = image.width // factor, image.height // factor
        # The box makes the factor whole, so that NEAREST takes every factor-th pixel.
        image = image.resize((width, height), Image.Resampling.NEAREST, box=(0, 0, width * factor, height * factor))
    return image.resize(target, Image.Resampling.LANCZOS)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height as shown from the header alone, a JPEG's or WebP's EXIF orientation applied. Raises BadImage."""
    with opened(data) as image, decoding():
        # To look for a PNG's orientation Pillow would decode all of it.
        turned = image.format != "PNG" and _orientation(image) >= 5
        return (image.height, image.width) if turned else image.size


def prepare_image(data: bytes, post_id: int, config: ResizeConfig, seed: int = 0) -> Resized:
    """Decode the whole file, and make it smaller where it is above the limit; otherwise its bytes stay as they are.

    Raises:
        BadImage: the file is damaged or no image.
    """
    with opened(data) as image, decoding():
        image.load()
        kind, shown = str(image.format), upright(image)
        target = target_size(*shown.size, config.max_pixels)
        if target == shown.size:
            return Resized(data, *shown.size, _extension(kind))
        coin = Draws("resize", seed, post_id).uniform("filter") < 0.5
        smaller = shrink(on_white(shown), target, config.mix, coin)
    encoding = ("jpeg" if kind in JPEG_FAMILY else "png") if config.encoding == "same" else config.encoding
    return Resized(_encoded(smaller, encoding, config.quality), *target, _extension(encoding.upper()))


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1, upright, where EXIF data is missing or damaged: the picture itself is none the worse for it."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) else 1


def on_white(image: Image.Image) -> Image.Image:
    """RGB, with transparent parts laid on white; the image itself where it is that already."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def opened(data: bytes) -> Image.Image:
    """The image with its header read, nothing decoded. Raises BadImage."""
    with warnings.catch_warnings(), decoding("is no readable image"):
        # Pillow warns of what pruning judges by its own limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(BytesIO(data))


def _encoded(image: Image.Image, encoding: str, quality: int) -> bytes:
    stream = BytesIO()
    options = {"jpeg": {"quality": quality, "subsampling": 0}, "webp": {"quality": quality}, "png": {}}[encoding]
    image.save(stream, encoding.upper(), **options)
    return stream.getvalue()


def _extension(kind: str) -> str:
    return "jpg" if kind in JPEG_FAMILY else kind.lower()
