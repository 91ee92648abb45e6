"""Quality tags from the percentile rank of a post's score among its neighbours in time (section 3.1.2, Table 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generation.tags import QUALITIES
from training.posts import Post

CUTS = (8.0, 20.0, 60.0, 82.0, 92.0)
UNRANKED = 255
METRICS = ("score", "fav_count")
ALIGNMENTS = ("centred", "trailing")


@dataclass(frozen=True)
class QualityConfig:
    """The moving window (A8 in docs/quality.md).

    Attributes:
        window: posts of one content rating that a post is ranked among; all of them where there are fewer.
        hops: into how many steps a window's width is cut; the posts of one step share a window.
        metric: ``score`` or ``fav_count``.
        align: ``centred`` on the post, or ``trailing``: the posts up to it.
        cuts: upper percentile ranks of all but the last of `generation.tags.QUALITIES`, inclusive (A7, Table 3).

    Raises:
        ValueError: a value outside its range.
    """

    window: int = 100_000
    hops: int = 100
    metric: str = "score"
    align: str = "centred"
    cuts: tuple[float, ...] = CUTS

    def __post_init__(self) -> None:
        if self.window < 1 or self.hops < 1:
            raise ValueError(f"window and hops must be at least 1, got {self.window} and {self.hops}")
        if len(self.cuts) != len(CUTS) or list(self.cuts) != sorted({*self.cuts, 0.0, 100.0})[1:-1]:
            raise ValueError(f"cuts must be five rising numbers between 0 and 100, got {self.cuts}")
        for name, choices in (("metric", METRICS), ("align", ALIGNMENTS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")


def quality_codes(percentiles: ArrayLike, cuts: Sequence[float] = CUTS) -> NDArray[np.uint8]:
    """Indices into `generation.tags.QUALITIES` of percentile ranks in [0, 100]; the bounds are inclusive."""
    return np.searchsorted(cuts, np.asarray(percentiles, float), side="left").astype(np.uint8)


def percentiles(scores: ArrayLike, config: QualityConfig | None = None) -> NDArray[np.float64]:
    """Midranks ``100 * (less + equal / 2) / W`` of each score among the window around it in time.

    ``scores`` (N,) stand in order of time. The window is clamped at both ends. It moves in steps of ``window / hops``
    posts, which share it: a histogram of the distinct scores follows it, so a step costs the posts that enter and leave
    and one cumulative sum.
    """
    config = config or QualityConfig()
    distinct, codes = np.unique(np.asarray(scores), return_inverse=True)
    count = len(codes)
    width, hop = min(config.window, count), max(1, config.window // config.hops)
    ranks = np.empty(count)
    near = np.zeros(len(distinct) + 1, np.int64)  # near[i + 1]: how often the i-th distinct score is in the window
    low = high = 0
    for first in range(0, count, hop):
        block = codes[first : first + hop]
        ahead = len(block) // 2 + width - width // 2 if config.align == "centred" else len(block)
        end = min(max(first + ahead, width), count)
        near[1:] += np.bincount(codes[high:end], minlength=len(distinct))
        near[1:] -= np.bincount(codes[low : end - width], minlength=len(distinct))
        low, high = end - width, end
        below = np.cumsum(near)
        ranks[first : first + hop] = 50.0 * (below[block] + below[block + 1]) / width
    return ranks


def rank_posts(
    times: NDArray[np.int64], ids: NDArray[np.int64], scores: NDArray[np.int64], ratings: NDArray[np.uint8],
    config: QualityConfig,
) -> NDArray[np.uint8]:  # fmt: skip
    """The quality code of each of N posts, ranked within each content rating by (time, id); all arrays are (N,)."""
    result = np.full(len(ids), UNRANKED, np.uint8)
    order = np.lexsort((ids, times))
    for rating in np.unique(ratings):
        rows = order[ratings[order] == rating]
        result[rows] = quality_codes(percentiles(scores[rows], config), config.cuts)
    return result


def with_quality(posts: Sequence[Post], config: QualityConfig | None = None) -> list[Post]:
    """The posts, in their order, with ``quality`` set; empty for those without date, score or content rating."""
    config = config or QualityConfig()
    ranked = [(row, post) for row, post in enumerate(posts) if can_be_ranked(post, config)]
    codes = rank_posts(
        np.array([_microseconds(post) for _, post in ranked], np.int64),
        np.array([post.id for _, post in ranked], np.int64),
        np.array([getattr(post, config.metric) for _, post in ranked], np.int64),
        np.array([ord(post.rating) for _, post in ranked], np.uint8),
        config,
    )
    words = {row: QUALITIES[code] for (row, _), code in zip(ranked, codes, strict=True)}
    return [replace(post, quality=words.get(row, "")) for row, post in enumerate(posts)]


def can_be_ranked(post: Post, config: QualityConfig) -> bool:
    """Whether the post has a date, a content rating and the number to rank by."""
    return post.created_at is not None and bool(post.rating) and getattr(post, config.metric) is not None


def _microseconds(post: Post) -> int:
    assert post.created_at is not None
    return int(post.created_at.timestamp() * 1e6)
