"""Sizes that pictures are trained at, which one a picture gets, and what is cut off (section 3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.prune import MEGAPIXEL
from training.rng import Draws

Size = tuple[int, int]
CROPS = ("centre", "random")
REMAINDERS = ("short", "wrap", "drop")


@dataclass(frozen=True)
class BucketSet:
    """Sizes of about one area: sides are multiples of ``step``, at most ``megapixels`` (of 2^20 pixels) together.

    ``min_side`` and ``max_side`` bound the sides. ``least_scale`` keeps pictures out that would have to shrink to less
    than this share of their side: 0 takes every picture that is large enough, 0.6 only those of about the set's own
    size (section 3.1.2: "the higher-resolution dataset with minimal resizing"). ``enlarge`` is the most by which a
    smaller picture may grow; 768 x 768, which pruning lets pass, grows by 4/3 to one megapixel.

    Raises:
        ValueError: a value outside its range.
    """

    megapixels: float
    step: int = 64
    min_side: int = 512
    max_side: int = 2048
    least_scale: float = 0.0
    enlarge: float = 1.5

    def __post_init__(self) -> None:
        if self.step < 8 or self.step % 8:
            raise ValueError(f"step must be a multiple of 8, got {self.step}")
        if not 0 < self.min_side <= self.max_side or self.min_side % self.step or self.max_side % self.step:
            raise ValueError(f"min_side and max_side must be multiples of step {self.step}, the smaller first")
        if self.min_side**2 > self.pixels:
            raise ValueError(f"{self.megapixels} megapixels do not hold even {self.min_side}x{self.min_side}")
        if not (0 <= self.least_scale <= 1 and self.enlarge >= 1):
            raise ValueError("least_scale must be from 0 to 1, enlarge at least 1")

    @property
    def pixels(self) -> int:
        """The most pixels of a size; 0.15 megapixels are 157,286."""
        return int(self.megapixels * MEGAPIXEL)

    def sizes(self) -> tuple[Size, ...]:
        """All (width, height): for each side the largest other one that still fits, from wide to high ratio."""
        return _sizes(self)


@cache
def _sizes(buckets: BucketSet) -> tuple[Size, ...]:
    found = set()
    for side in range(buckets.min_side, buckets.max_side + 1, buckets.step):
        other = min(buckets.max_side, buckets.pixels // side // buckets.step * buckets.step)
        if other >= buckets.min_side:
            found |= {(side, other), (other, side)}
    return tuple(sorted(found, key=lambda size: (size[0] / size[1], size)))


# Section 3.1.3: 0.15 MP (v2.0), 1 MP (v0.1), 2.25 MP (v1.0 on). The small set reaches 1:9.5, as pruning lets 1:10 pass.
SMALL = BucketSet(0.15, step=32, min_side=128, max_side=1280)
STANDARD = BucketSet(1.0, step=64, min_side=512, max_side=2048)
HIGH = BucketSet(2.25, step=64, min_side=768, max_side=3072, least_scale=0.6, enlarge=1.0)


@dataclass(frozen=True)
class BucketConfig:
    """The sets; how a picture is cut, ``centre`` or ``random`` in each epoch; what happens to a bucket's last ones.

    A picture is in every set that takes it: with ``sets`` of 1 and 2.25 megapixels a large one is trained at both
    ("duplicate separated higher-resolution images", section 4). ``remainder``: `training.plan.BatchPlan`.

    Raises:
        ValueError: no set, or an unknown crop or remainder.
    """

    sets: tuple[BucketSet, ...] = (STANDARD, HIGH)
    crop: str = "centre"
    remainder: str = "short"

    def __post_init__(self) -> None:
        if not self.sets or self.crop not in CROPS or self.remainder not in REMAINDERS:
            raise ValueError(
                f"buckets need at least one set, crop of {', '.join(CROPS)} and remainder of {', '.join(REMAINDERS)}"
            )


@dataclass(frozen=True)
class Assignment:
    """Buckets of N pictures in one set, all arrays (N,).

    ``bucket``: place in ``sizes``, -1 where the set does not take the picture. ``scale``: by how much it is resized to
    cover the bucket. ``lost``: share of its pixels that are cut off.
    """

    sizes: tuple[Size, ...]
    bucket: NDArray[np.int64]
    scale: NDArray[np.float64]
    lost: NDArray[np.float64]


def assign(widths: ArrayLike, heights: ArrayLike, buckets: BucketSet) -> Assignment:
    """The bucket of each picture: that of the nearest ratio (by logarithm), the larger one where two are as near.

    A picture is left out (-1) where it would have to grow by more than ``enlarge`` or shrink below ``least_scale``.
    """
    sizes = buckets.sizes()
    shape = np.array(sizes, float)
    width, height = np.asarray(widths, float), np.asarray(heights, float)
    ratios = np.log(shape[:, 0] / shape[:, 1])
    kinds, first = _largest_of_ratio(ratios, shape)
    wanted = np.log(width / height)
    after = (
        np.searchsorted(kinds, wanted).clip(1, max(1, len(kinds) - 1)) if len(kinds) > 1 else np.zeros_like(wanted, int)
    )
    before = np.maximum(after - 1, 0)
    nearer = np.where(wanted - kinds[before] <= kinds[after] - wanted, before, after)
    chosen = first[nearer]
    scale = np.maximum(shape[chosen, 0] / width, shape[chosen, 1] / height)
    lost = 1 - shape[chosen].prod(axis=1) / (width * height * scale**2)
    taken = (scale <= buckets.enlarge) & (scale >= buckets.least_scale)
    return Assignment(sizes, np.where(taken, chosen, -1), scale, lost.clip(0))


def _largest_of_ratio(
    ratios: NDArray[np.float64], shape: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distinct ratios in order, and for each the place of its largest size."""
    order = np.lexsort((-shape.prod(axis=1), ratios))
    kinds, first = np.unique(ratios[order], return_index=True)
    return kinds, order[first]


@dataclass(frozen=True)
class Bucket:
    """One size of one set (its place in the config) and the rows of the pictures that are trained at it."""

    set: int
    size: Size
    rows: tuple[int, ...]


def fill(widths: ArrayLike, heights: ArrayLike, config: BucketConfig) -> tuple[list[Bucket], list[int]]:
    """All buckets that hold a picture, and the rows of the pictures that no set takes."""
    found: list[Bucket] = []
    taken = np.zeros(len(np.asarray(widths)), bool)
    for place, buckets in enumerate(config.sets):
        assigned = assign(widths, heights, buckets)
        taken |= assigned.bucket >= 0
        for number in np.unique(assigned.bucket[assigned.bucket >= 0]):
            rows = np.flatnonzero(assigned.bucket == number)
            found.append(Bucket(place, assigned.sizes[number], tuple(rows.tolist())))
    return found, np.flatnonzero(~taken).tolist()


@dataclass(frozen=True)
class Crop:
    """How a picture becomes one of its bucket, and what SDXL is told of it (micro-conditioning).

    The picture is resized to ``resized``, which covers ``target``, and cut out from ``left``, ``top`` on.
    """

    original: Size
    resized: Size
    left: int
    top: int
    target: Size

    def time_ids(self) -> tuple[int, int, int, int, int, int]:
        """SDXL's six numbers: original height and width, crop top and left, target height and width.

        As in the SDXL paper (arXiv:2307.01952, section 2.2); crop coordinates are those of the resized picture.
        """
        return (*self.original[::-1], self.top, self.left, *self.target[::-1])


def crop_of(original: Size, target: Size, config: BucketConfig, seed: int, post_id: int, epoch: int) -> Crop:
    """The crop of one picture in one epoch, a pure function; ``centre`` is the same in every epoch."""
    scale = max(target[0] / original[0], target[1] / original[1])
    resized = max(target[0], round(original[0] * scale)), max(target[1], round(original[1] * scale))
    room = resized[0] - target[0], resized[1] - target[1]
    if config.crop == "centre":
        return Crop(original, resized, room[0] // 2, room[1] // 2, target)
    draws = Draws("crop", seed, post_id, epoch)
    left, top = (int(draws.uniform(name) * (space + 1)) for name, space in zip(("left", "top"), room, strict=True))
    return Crop(original, resized, left, top, target)
