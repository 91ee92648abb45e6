"""What the captions of a prepared set will look like, by making some of them (docs/dataset-report.md)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from generation.tags import GROUPS
from training.caption_config import CaptionConfig
from training.captions import Trace, caption
from training.expectation import expected_kept
from training.folder import with_vocabulary
from training.posts import Post, parse_post
from training.sheets import arrange, groups_of
from training.sources import parts_of, reported
from training.stages import TEXT_ONLY, UNCONDITIONAL
from training.token_counts import TokenCounter

SAMPLED_PARTS, SAMPLED_POSTS, EPOCHS = 20, 2_000, 4


@dataclass(frozen=True)
class Asked:
    """What the report is about: a prepared set, the captions it will be trained with, and who counts their tokens."""

    folder: Path
    captions: CaptionConfig
    captions_name: str
    counter: TokenCounter
    seed: int = 0


def sample_posts(folder: Path) -> list[Post]:
    """Up to `SAMPLED_POSTS`, from parts spread evenly over the set and evenly within each part's beginning."""
    parts = parts_of(folder)
    chosen = parts[:: -(-len(parts) // SAMPLED_PARTS)]
    share = SAMPLED_POSTS // len(chosen)
    found: list[Post] = []
    for part in chosen:
        records = list(islice(part.records(), 50 * share))
        found += [parse_post(record, where, reported) for where, record in records[:: max(1, len(records) // share)]]
    return found[:SAMPLED_POSTS]


def captions_of(asked: Asked) -> dict[str, Any]:
    """Captions of a sample over a few epochs: tags kept against arithmetic, tokens against what is read."""
    posts = sample_posts(asked.folder)
    config, counter = with_vocabulary(asked.captions, asked.folder), asked.counter
    tokens: list[int] = []
    kept: dict[int, list[tuple[int, float]]] = {}
    stages: Counter[str] = Counter()
    groups: dict[str, Counter[str]] = {group: Counter() for group in GROUPS}
    for post, made in ((post, caption(post, config, asked.seed, epoch)) for post in posts for epoch in range(EPOCHS)):
        tokens.append(counter.count(made.text))
        stages[made.trace.stage] += 1
        if made.trace.stage not in {UNCONDITIONAL, TEXT_ONLY}:
            pair = len(made.trace.places), _expected(made.trace, config)
            kept.setdefault(len(made.trace.tags), []).append(pair)
            _count_groups(groups, post, config, made.trace)
    rows = [
        {"tags": count, "captions": len(pairs), "kept": float(np.mean([pair[0] for pair in pairs])),
         "expected": float(np.mean([pair[1] for pair in pairs]))}
        for count, pairs in sorted(kept.items())
    ]  # fmt: skip
    pairs = [pair for found in kept.values() for pair in found] or [(0, 0.0)]
    cut = sum(1 for count in tokens if count > counter.reads)
    return {
        "config": asked.captions_name,
        "posts": len(posts),
        "captions": len(tokens),
        "epochs": EPOCHS,
        "tokenizer": counter.name,
        "exact": counter.exact,
        "limit": counter.reads,
        "truncated": cut,
        "truncated_share": cut / max(1, len(tokens)),
        "tokens": np.bincount(tokens).tolist() if tokens else [],
        "stages": dict(stages.most_common()),
        "groups": {name: dict(counted) for name, counted in groups.items() if counted["tags"]},
        "kept": rows,
        "mean_kept": float(np.mean([pair[0] for pair in pairs])),
        "mean_expected": float(np.mean([pair[1] for pair in pairs])),
        "examples": [{"post": post.id, "caption": caption(post, config, asked.seed, 0).text} for post in posts[:8]],
    }


def _count_groups(groups: dict[str, Counter[str]], post: Post, config: CaptionConfig, trace: Trace) -> None:
    """Add a caption's tags, and those of them that it kept, to the counts of their groups."""
    first = 0
    for group, members in groups_of(post, config, len(trace.tags) > len(arrange(post, config).tags)).items():
        last = first + len(members)
        groups[group].update(tags=len(members), kept=sum(1 for place in trace.places if first <= place < last))
        first = last


def _expected(trace: Trace, config: CaptionConfig) -> float:
    free_names = set(trace.names) - set(trace.protected)
    return _mean_kept(len(trace.tags), len(free_names), len(trace.protected), config)


_mean_kept = lru_cache(4096)(expected_kept)
