"""Unfocused annotations: tags whose word means two things on pictures that do not show which (docs/vocabulary.md).

Section 3.1.1 of the paper: "doctor" is a profession and a character, so that a prompt for one gave the other; "later
solved by removing unfocused annotations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from generation.tags import person_rank
from training.posts import CATEGORIES, Post

ANY = "*"
WHERE = ("unfocused", "everywhere")
ACTIONS = ("remove", "rename")
_SOLO = frozenset({"1girl", "1boy", "1other"})


@dataclass(frozen=True)
class RepairRule:
    """What happens to ``tag`` (or ``*``: every tag whose word is a concept and a name).

    ``where``: on ``unfocused`` posts only, or ``everywhere``; ``action``: ``remove`` it, or ``rename`` it to ``to``.

    Raises:
        ValueError: an unknown word, or a new name missing or too much.
    """

    tag: str
    where: str = "unfocused"
    action: str = "remove"
    to: str = ""

    def __post_init__(self) -> None:
        if self.where not in WHERE or self.action not in ACTIONS:
            raise ValueError(f"a repair rule needs where of {', '.join(WHERE)} and action of {', '.join(ACTIONS)}")
        if (self.action == "rename") != bool(self.to) or (self.to and self.tag == ANY):
            raise ValueError("a repair rule has a new name `to` exactly when it renames, and renames one tag only")


@dataclass(frozen=True)
class RepairConfig:
    """Rules in their order, and how few general tags make a post sparse."""

    few_tags: int = 8
    rules: tuple[RepairRule, ...] = ()


def persons(post: Post) -> str:
    """Who is on the picture: ``1girl``, ``1boy``, ``1other``, ``several``, or ``nobody`` where no count is given."""
    counts = [tag for tag in post.general if person_rank(tag) >= 0]
    if not counts:
        return "nobody"
    return counts[0] if len(counts) == 1 and counts[0] in _SOLO else "several"


def is_unfocused(post: Post, config: RepairConfig) -> bool:
    """Whether the picture cannot show what an ambiguous tag of it means: several persons, or too few tags."""
    return persons(post) == "several" or len(post.general) < config.few_tags


def repaired(post: Post, ambiguous: Mapping[str, str], config: RepairConfig) -> tuple[Post, list[str]]:
    """The post after all rules, and a sentence for each tag that changed.

    ``ambiguous`` leads from a tag to its word, as `training.vocabulary.meanings` finds them.
    """
    changes: list[str] = []
    if not config.rules:
        return post, changes
    unfocused = is_unfocused(post, config)
    fields: dict[str, Any] = {}
    for category in CATEGORIES:
        before = getattr(post, category)
        after = [_after(tag, ambiguous, unfocused, config.rules) for tag in before]
        kept = tuple(dict.fromkeys(filter(None, after)))
        if kept != before:
            fields[category] = kept
            changes += [_sentence(old, new) for old, new in zip(before, after, strict=True) if old != new]
    return (replace(post, **fields) if fields else post), changes


def _after(tag: str, ambiguous: Mapping[str, str], unfocused: bool, rules: tuple[RepairRule, ...]) -> str:
    for rule in rules:
        if (rule.tag == tag or (rule.tag == ANY and tag in ambiguous)) and (unfocused or rule.where == "everywhere"):
            return rule.to
    return tag


def _sentence(old: str, new: str) -> str:
    return f"{old} became {new}" if new else f"{old} was removed"
