"""Quality tags of a million posts: the most memory that they take, against the limit of 500 MB."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.training.quality import workers as timed

LIMIT = 500.0


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """As `quality`, with every allocation counted."""
    rank, _ = timed(folder)

    def ours() -> float:
        tracemalloc.start()
        rank()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 1e6

    return ours, lambda: LIMIT
