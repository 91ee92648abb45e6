"""The random stages of a caption, each a pure function of the config and its own draws (docs/captions.md)."""

import string
from collections.abc import Sequence
from itertools import filterfalse, islice
from typing import TypeVar

from generation.tags import SEPARATOR
from training.caption_config import CaptionConfig
from training.rng import Draws

FULL, TAG_DROPOUT, TEXT_ONLY, UNCONDITIONAL = "full", "tag dropout", "text only", "unconditional"
LETTERS = string.ascii_lowercase + string.digits
Item = TypeVar("Item")
# One number for each decision that nearly every caption asks for; append only (`training.rng.Draws`).
DECISIONS = (
    "names", "unconditional", "text", "which text", "level", "paraphrase", "separator", "register", "register count",
    "assigned register", "year",
)  # fmt: skip
SLOTS = {name: slot for slot, name in enumerate(DECISIONS)}


def happens(rate: float, draws: Draws, name: str) -> bool:
    """True with probability ``rate``; rates 0 and 1 need no draw."""
    return rate > 0 and (rate >= 1 or draws.uniform(name) < rate)


def pick(items: Sequence[Item], draws: Draws, name: str) -> Item:
    """One of the items, each equally likely."""
    return items[int(draws.uniform(name) * len(items))]


def protected_names(config: CaptionConfig, names: tuple[int, ...], draws: Draws) -> tuple[int, ...]:
    """Which of the names' places cannot be dropped in this caption (weak-probability dropout)."""
    if config.name_scope == "caption":
        return names if names and happens(config.name_protection, draws, "names") else ()
    return tuple(place for place in names if happens(config.name_protection, draws, f"name {place}"))


def choose(config: CaptionConfig, has_text: bool, draws: Draws) -> str:
    """What decides which tags stay: nothing, one of the levels, each tag's own draw, only a text, or nothing at all."""
    if happens(config.uncond_rate, draws, "unconditional"):
        return UNCONDITIONAL
    if has_text and config.text_only_rate and draws.uniform("text") < config.text_only_rate:
        return TEXT_ONLY
    if config.levels:
        drawn = draws.uniform("level")
        for name, level in config.named_levels.items():
            drawn -= level.rate
            if drawn < 0:
                return name
    return TAG_DROPOUT if config.tag_dropout else FULL


def kept(
    stage: str,
    config: CaptionConfig,
    places: frozenset[int],
    protected: tuple[int, ...],
    safe: tuple[int, ...],
    draws: Draws,
) -> frozenset[int]:
    """Which of the tags' places, 0 to n, stay; ``protected`` ones always, ``safe`` ones unless all tags go."""
    if stage == FULL:
        return places
    if stage == UNCONDITIONAL:
        return frozenset(protected if config.protect_in_uncond else ())
    if stage == TEXT_ONLY:
        return frozenset(protected)
    fixed, count = frozenset(protected + safe), len(places)
    if stage == TAG_DROPOUT:
        return _each_by_itself(config, count, fixed, draws)
    level = config.named_levels[stage]
    order = draws.order("kept tags", count) if config.level_select == "random" else range(count)
    staying = level.kept(count - len(fixed), config.rounding)
    droppable = filterfalse(fixed.__contains__, order[: staying + len(fixed)])
    return fixed.union(islice(droppable, staying))


def _each_by_itself(config: CaptionConfig, count: int, fixed: frozenset[int], draws: Draws) -> frozenset[int]:
    """A number is drawn for fixed tags too, so that protecting one tag changes no other."""
    least = config.tag_dropout * 2.0**32
    numbers = draws.integers("dropout", count)
    return fixed.union([place for place, number in enumerate(numbers) if number >= least])


def shuffled(kept: frozenset[int], general: range, count: int, draws: Draws) -> list[int]:
    """The kept places, of ``count``, in order, those of the general tags in random order among themselves.

    A number is drawn for every general tag, so that dropping one tag changes the order of no others.
    """
    if not kept:
        return []
    order = draws.order("shuffle", len(general), before=general.start, after=count - general.stop)
    return order if len(kept) == count else list(filter(kept.__contains__, order))


def text_index(stage: str, config: CaptionConfig, texts: int, draws: Draws) -> int:
    """Which of the post's natural-language texts the caption has; -1 for none.

    One number decides both whether a text stands alone and whether it joins tags, so their rates add up.
    """
    if not texts or stage == UNCONDITIONAL or not (config.text_rate or config.text_only_rate):
        return -1
    if stage != TEXT_ONLY and draws.uniform("text") >= config.text_only_rate + config.text_rate:
        return -1
    return pick(range(texts), draws, "which text") if config.text_choice == "any" else 0


def register_tokens(stage: str, config: CaptionConfig, assigned: str, draws: Draws) -> tuple[str, ...]:
    """The post's own register string, then random ones; none in an emptied caption."""
    if stage == UNCONDITIONAL:
        return ()
    tokens = (assigned,) if assigned and happens(config.assigned_register_rate, draws, "assigned register") else ()
    if not happens(config.register_rate, draws, "register"):
        return tokens
    low, high = config.register_count
    count = low + int(draws.uniform("register count") * (high - low + 1))
    return (*tokens, *(_random_token(config, draws, number) for number in range(count)))


def _random_token(config: CaptionConfig, draws: Draws, number: int) -> str:
    """A string that is no tag of the vocabulary; drawn again until that is so."""
    low, high = config.register_length
    attempt = 0
    while True:
        first, *rest = draws.integers(f"register {number} {attempt}", high + 1)
        token = "".join([LETTERS[letter % len(LETTERS)] for letter in rest[: low + first % (high - low + 1)]])
        if token not in config.register_excluded:
            return token
        attempt += 1


def with_register(config: CaptionConfig, pieces: list[str], tokens: tuple[str, ...], draws: Draws) -> list[str]:
    """The pieces with the register tokens last, or each at a place of its own."""
    if config.register_place == "end":
        return [*pieces, *tokens]
    for number, token in enumerate(tokens):
        pieces.insert(pick(range(len(pieces) + 1), draws, f"register place {number}"), token)
    return pieces


def joined(config: CaptionConfig, pieces: list[str], draws: Draws) -> tuple[str, int]:
    """One line, and how many of its separators are plain spaces."""
    gaps = max(0, len(pieces) - 1)
    if not config.space_rate or not gaps:
        return SEPARATOR.join(pieces), 0
    if config.space_scope == "caption":
        spaces = happens(config.space_rate, draws, "separator")
        return (" " if spaces else SEPARATOR).join(pieces), gaps * spaces
    least = config.space_rate * 2.0**32
    separators = [" " if number < least else SEPARATOR for number in draws.integers("separator", gaps)]
    line = "".join([piece + gap for piece, gap in zip(pieces, [*separators, ""], strict=True)])
    return line, separators.count(" ")
