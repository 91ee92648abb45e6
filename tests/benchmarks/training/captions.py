"""Captions with every stage of the paper on one core: processor microseconds each, against the issue's limit."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.training.world import records
from training.captions import caption
from training.config import load_captions
from training.posts import Post, parse_post

LIMIT = 20.0  # 50,000 captions a second
POSTS, EPOCHS = 2_000, 5
TAGS = 34


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Captions of posts with 34 general tags over five epochs, the first of them included."""
    config = load_captions("v2.0")

    def ours() -> float:
        posts = [_post(record) for record in records(POSTS)]
        start = time.process_time()
        for epoch in range(EPOCHS):
            for post in posts:
                caption(post, config, 0, epoch)
        return (time.process_time() - start) / (POSTS * EPOCHS) * 1e6

    return ours, lambda: LIMIT


def _post(record: dict[str, object]) -> Post:
    post = parse_post(record, "made up", lambda problem: None)
    general = tuple(dict.fromkeys((*post.general, *(f"further_{number}" for number in range(TAGS)))))[:TAGS]
    return replace(post, general=general, texts=("A sentence about the picture.",))
