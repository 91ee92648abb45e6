"""Quality tags of a million posts in a drifting stream: seconds against the limit of ten."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.quality import QualityConfig, rank_posts

POSTS = 1_000_000
LIMIT = 10.0


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Four content ratings, scores that grow."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(0, 10**15, POSTS))
    scores = np.exp(rng.normal(2.3 + np.arange(POSTS) / POSTS, 1.0)).astype(np.int64)
    ratings = rng.choice(np.frombuffer(b"gsqe", np.uint8), POSTS)
    return lambda: rank_posts(times, np.arange(POSTS), scores, ratings, QualityConfig()), lambda: LIMIT
