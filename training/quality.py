"""Quality tags from the percentile rank of a post's score among its neighbours in time (section 3.1.2, Table 3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from training.posts import Post

WINDOW = 100_000
# Upper percentile ranks, inclusive; above the last one: masterpiece.
CUTS = ((8, "worst quality"), (20, "bad quality"), (60, "average quality"), (82, "good quality"), (92, "best quality"))
BEST = "masterpiece"
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def quality_word(percentile: float) -> str:
    """The quality tag of a percentile rank in [0, 100]."""
    return next((word for cut, word in CUTS if percentile <= cut), BEST)


def percentiles(scores: Sequence[int], window: int = WINDOW) -> list[float]:
    """Midranks ``100 * (less + equal / 2) / W`` of each score among the ``window`` posts around it in time.

    ``scores`` stand in order of time. The window is centred, clamped at both ends, and all posts where there are fewer
    than ``window``; it moves in hops of a hundredth of its width, and the posts of one hop share it.
    """
    values = np.asarray(scores)
    width, hop = min(window, len(values)), max(1, window // 100)
    ranks: list[float] = []
    for first in range(0, len(values), hop):
        block = values[first : first + hop]
        start = min(max(first + len(block) // 2 - width // 2, 0), len(values) - width)
        near = np.sort(values[start : start + width])
        less, less_or_equal = (np.searchsorted(near, block, side=side) for side in SIDES)
        ranks += (50.0 * (less + less_or_equal) / width).tolist()
    return ranks


def with_quality(posts: Sequence[Post], window: int = WINDOW) -> list[Post]:
    """The posts, in their order, with ``quality`` set; ranked within each content rating by (created_at, id)."""
    by_rating: dict[str, list[Post]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: (post.created_at, post.id)):
        by_rating[post.rating].append(post)
    words: dict[int, str] = {}
    for group in by_rating.values():
        ranks = percentiles([post.score for post in group], window)
        words |= {post.id: quality_word(rank) for post, rank in zip(group, ranks, strict=True)}
    return [replace(post, quality=words[post.id]) for post in posts]
