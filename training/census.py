"""Counts of a set of posts that can be added up part by part: what the report shows before and after."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from generation.tags import RATINGS
from training.posts import CATEGORIES, Post
from training.repair import persons
from training.vocabulary import Vocabulary

NONE = "none"


def part_counts(folder: Path) -> Iterator[dict[str, Any]]:
    """What `training.prepare_part` counted on each part of a prepared set, in order."""
    return (json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("parts/*/counts.json")))


def part_lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The lines of the parts' ``removed`` or ``problems``, in order."""
    for file in sorted(folder.glob(f"parts/*/{name}.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def tags_of_parts(folder: Path, known: Vocabulary) -> Vocabulary:
    """All tags of a prepared set with how many of its posts have them, and those of ``known`` that none has."""
    found = Vocabulary()
    for counts in part_counts(folder):
        for category in CATEGORIES:
            found.add(category, counts["after"][category])
    found.add_unused(known)
    return found


@dataclass
class Census:
    """Numbers of posts by content rating, year, quality, persons, and so on; tags by category."""

    posts: int = 0
    synthetic: int = 0
    ratings: Counter[str] = field(default_factory=Counter)
    years: Counter[str] = field(default_factory=Counter)
    qualities: Counter[str] = field(default_factory=Counter)
    persons: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    tag_counts: Counter[str] = field(default_factory=Counter)
    general: Counter[str] = field(default_factory=Counter)
    character: Counter[str] = field(default_factory=Counter)
    copyright: Counter[str] = field(default_factory=Counter)
    artist: Counter[str] = field(default_factory=Counter)
    meta: Counter[str] = field(default_factory=Counter)

    def add(self, post: Post) -> None:
        """Count one post."""
        self.posts += 1
        self.synthetic += post.synthetic
        self.ratings[RATINGS.get(post.rating, NONE)] += 1
        self.years[str(post.created_at.year) if post.created_at else NONE] += 1
        self.qualities[post.quality or NONE] += 1
        self.persons[persons(post)] += 1
        self.sizes[f"{post.image_width}x{post.image_height}"] += 1
        self.tag_counts[str(len(post.general))] += 1
        for category in CATEGORIES:
            getattr(self, category).update(getattr(post, category))

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another census, as `to_mapping` gives them."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Counter):
                value.update(other[item.name])
            else:
                setattr(self, item.name, value + other[item.name])

    def to_mapping(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def tags(self) -> Counter[str]:
        """All tags, whatever their category."""
        return sum((getattr(self, category) for category in CATEGORIES), Counter())
