"""Quality tags from the percentile rank of a post's score among its neighbours in time (section 3.1.2, Table 3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.posts import Post

WINDOW = 100_000
# Upper percentile ranks, inclusive; above the last one: masterpiece.
CUTS = ((8, "worst quality"), (20, "bad quality"), (60, "average quality"), (82, "good quality"), (92, "best quality"))
BEST = "masterpiece"


def quality_word(percentile: float) -> str:
    """The quality tag of a percentile rank in [0, 100]."""
    return next((word for cut, word in CUTS if percentile <= cut), BEST)


def percentiles(scores: Sequence[int], window: int = WINDOW) -> list[float]:
    """Midranks ``100 * (less + equal / 2) / W`` of each score among the ``window`` posts around it in time.

    ``scores`` stand in order of time. The window is centred on the post, clamped at both ends, and all posts where
    there are fewer than ``window``.
    """
    values = np.asarray(scores)
    width = min(window, len(values))
    ranks = []
    for index, score in enumerate(values):
        start = min(max(index - width // 2, 0), len(values) - width)
        near = values[start:start + width]
        ranks.append(100.0 * float((near < score).sum() + (near == score).sum() / 2) / width)
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
