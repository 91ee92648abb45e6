"""Which posts are left out, each with a reason (section 3.1.2; docs/pruning.md)."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from pkgutil import resolve_name

from PIL import Image

from generation.tags import person_rank
from training.errors import UserError
from training.posts import Post

MEGAPIXEL = 2**20  # the paper's 2.25 MP is 1536 x 1536, so its megapixel is 1024 x 1024
SMALL_BY = ("area", "min_side", "both")
# A score of a post: from its record, or from the bytes of its image file (None where images are not read).
Scorer = Callable[[Post, bytes | None], float]


@dataclass(frozen=True)
class ScoreRule:
    """Posts whose score lies below ``least`` or above ``most`` are left out.

    ``source`` is a function as ``package.module:function`` (`Scorer`), or a CSV file with the columns id and score.
    """

    name: str
    source: str
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class PruneConfig:
    """The limits of section 3.1.2: at least 768 x 768, at most 40 MP, not more elongated than 1:10; few are left out.

    Attributes:
        min_side, small_by: too small is an ``area`` below min_side x min_side (A12), one side below it (``min_side``),
            or ``both`` sides below it.
        max_pixels, max_ratio: the most pixels, and the most that one side may be of the other, inclusive.
        min_tags: posts with fewer general tags than this (person counts aside) are left out; 0 keeps all.
        drop_tags: posts with one of these tags are left out; none by default, as comics and sketches stay.
        scores: filters by aesthetic, compression or any other score.

    Raises:
        ValueError: a value outside its range.
    """

    min_side: int = 768
    small_by: str = "area"
    max_pixels: int = 40 * MEGAPIXEL
    max_ratio: float = 10.0
    min_tags: int = 0
    drop_tags: frozenset[str] = frozenset()
    scores: tuple[ScoreRule, ...] = ()

    def __post_init__(self) -> None:
        if self.small_by not in SMALL_BY:
            raise ValueError(f"small_by must be one of {', '.join(SMALL_BY)}, got {self.small_by!r}")
        if self.min_side < 0 or self.min_tags < 0 or self.max_pixels < 1 or self.max_ratio < 1:
            raise ValueError("min_side and min_tags must be at least 0, max_pixels and max_ratio at least 1")


@dataclass(frozen=True)
class Removal:
    """Why a post is left out: a word for counting, and the numbers of this post."""

    reason: str
    detail: str


def by_size(width: int, height: int, config: PruneConfig) -> Removal | None:
    """Too small, too large or too elongated, in this order; None for a size that may stay."""
    shape = f"{width}x{height}"
    if _is_small(width, height, config):
        return Removal("small", f"{shape} is below {config.min_side}x{config.min_side} by {config.small_by}")
    if width * height > config.max_pixels:
        return Removal("large", f"{shape} has more than {config.max_pixels} pixels")
    if max(width, height) > config.max_ratio * min(width, height):
        return Removal("elongated", f"{shape} is more elongated than 1:{config.max_ratio:g}")
    return None


def _is_small(width: int, height: int, config: PruneConfig) -> bool:
    if config.small_by == "area":
        return width * height < config.min_side**2
    extreme = min if config.small_by == "min_side" else max
    return extreme(width, height) < config.min_side


def by_tags(post: Post, config: PruneConfig) -> Removal | None:
    """One of the tags to drop, or too few tags to learn from."""
    unwanted = sorted(config.drop_tags.intersection(post.tags))
    if unwanted:
        return Removal("tag", f"has {', '.join(unwanted)}")
    if config.min_tags:
        count = sum(1 for tag in post.general if person_rank(tag) < 0)
        if count < config.min_tags:
            return Removal("few tags", f"{count} general tags, at least {config.min_tags} are asked for")
    return None


def by_score(rule: ScoreRule, score: float) -> Removal | None:
    """Below or above what the rule allows; a score that is no number never passes."""
    if rule.least is not None and not score >= rule.least:
        return Removal(rule.name, f"{rule.name} is {score:.4g}, at least {rule.least:g} is asked for")
    if rule.most is not None and not score <= rule.most:
        return Removal(rule.name, f"{rule.name} is {score:.4g}, at most {rule.most:g} is allowed")
    return None


def bytes_per_pixel(post: Post, data: bytes | None) -> float:
    """Size of the image file by its pixels: near 0 for flat pictures and heavy compression."""
    return len(_needed(data)) / (post.image_width * post.image_height)


def jpeg_bits_per_pixel(post: Post, data: bytes | None) -> float:
    """Bits a pixel of the picture written as JPEG of quality 75: low for empty pictures, high for noise and screentone.

    Unlike the size of the file as it came, it does not depend on how the file was compressed.
    """
    with Image.open(BytesIO(_needed(data))) as image:
        stream = BytesIO()
        rgb = image.convert("RGB")
        rgb.save(stream, "JPEG", quality=75)
    return 8 * len(stream.getvalue()) / (rgb.width * rgb.height)


def _needed(data: bytes | None) -> bytes:
    if data is None:
        raise UserError("this score reads image files: run with --write check or shards, or leave the rule out")
    return data


def load_scorer(rule: ScoreRule) -> Scorer:
    """The function that a rule names.

    Raises:
        UserError: there is no such function or file, or the file lacks the columns.
    """
    if rule.source.endswith(".csv"):
        return _from_file(rule)
    try:
        scorer: Scorer = resolve_name(rule.source)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"score {rule.name!r}: {rule.source!r} cannot be loaded ({error}): name module:function"
        ) from error
    return scorer


def _from_file(rule: ScoreRule) -> Scorer:
    try:
        with Path(rule.source).open(encoding="utf-8-sig", newline="") as file:
            table = {int(row["id"]): float(row["score"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"score {rule.name!r}: {rule.source} needs the columns id and score ({error!r})") from error
    return lambda post, data: table.get(post.id, math.nan)
