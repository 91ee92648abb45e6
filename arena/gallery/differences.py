"""How two images of one prompt and seed differ, pixel by pixel."""

from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.http import Http404
from PIL import Image, ImageChops, ImageStat

from arena.gallery.models import Sample

GAINS = (1, 2, 4, 8, 16)
"""By how much a difference may be multiplied, so that small ones can be seen."""


@dataclass(frozen=True)
class Difference:
    """Of the channel values, each 0 to 255: the mean absolute difference and the largest; and of all pixels the share,
    in percent, that differ at all."""

    mean: float
    largest: int
    percent: float


def pixels(sample: Sample) -> Image.Image:
    """The image as it was rendered, neither enlarged nor annotated; Http404 where the store has lost it."""
    try:
        with default_storage.open(sample.archive.name) as file, Image.open(file, formats=["PNG"]) as image:
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise Http404("the image is no longer in the store") from error


def subtract(one: Image.Image, other: Image.Image) -> Image.Image | None:
    """The absolute difference of each channel; None for images of different sizes."""
    return ImageChops.difference(one, other) if one.size == other.size else None


def amplified(difference: Image.Image, gain: int) -> Image.Image:
    """Every channel times `gain`, at most 255."""
    return difference.point([min(255, gain * value) for value in range(256)] * 3)


def measured(difference: Image.Image) -> Difference:
    """The difference in numbers."""
    channels = ImageStat.Stat(difference)
    red, green, blue = difference.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    equal = most.histogram()[0]
    total = most.width * most.height
    return Difference(
        mean=sum(channels.mean) / 3,
        largest=max(high for _, high in channels.extrema),
        percent=100 * (total - equal) / total,
    )
