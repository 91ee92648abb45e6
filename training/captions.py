"""Captions as one pure function of (post, config, seed, epoch).

Groups stand in the schema order of Illustrious section 3.1.2: person count, character names (with their copyright),
content rating, general tags (with kept meta tags), artist, quality, year. Every random stage has its own stream, keyed
by its name, the post and the epoch, so a caption depends neither on workers nor on order, and a further stage (level
dropout, paraphrase, separator, register tokens) moves none of the others.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from training.posts import RATINGS, Post
from training.rng import stream

SEPARATOR = ", "
PERSON_COUNT = re.compile(r"(?:\d+\+?|multiple_)(girl|boy|other)s?")
PERSON_ORDER = ("girl", "boy", "other")
KEPT_META = re.compile(r"highres|absurdres|.*_\(medium\)")
NAME_GROUPS = frozenset({"character", "artist"})
# Up to this length a tag is an emoticon such as ^_^ and keeps its underscores (as HakuBooru does).
LONGEST_EMOTICON = 3
YEAR_WORDS = ((2017, "oldest"), (2019, "old"), (2020, "modern"), (2022, "recent"))


@dataclass(frozen=True)
class CaptionConfig:
    """What a caption holds and how much of it is dropped; all rates are probabilities.

    ``tag_dropout``: each droppable tag is left out with this rate. ``name_protection``: with this rate all character
    and artist names of the caption are kept (section 3.2, weak-probability dropout; joint, per caption).
    ``protected``: tags that no stage drops (section 3.2, no-dropout tokens), not even ``uncond_rate``, the rate of
    captions emptied for classifier-free guidance (not from the paper). ``shuffle``: general tags in random order.

    Raises:
        ValueError: a rate outside [0, 1].
    """

    tag_dropout: float = 0.1
    name_protection: float = 0.8
    uncond_rate: float = 0.1
    shuffle: bool = True
    protected: frozenset[str] = frozenset()
    include_copyright: bool = True
    include_rating: bool = True
    include_meta: bool = True
    include_artist: bool = True
    include_quality: bool = True
    include_year: bool = True

    def __post_init__(self) -> None:
        for name in ("tag_dropout", "name_protection", "uncond_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")

    def to_dict(self) -> dict[str, object]:
        """The fields as JSON values; protected tags sorted, so that equal configs give equal text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"protected": sorted(self.protected)}


# The tiny text encoders read 48 positions: person count, names and general tags only.
TINY = CaptionConfig(
    include_copyright=False,
    include_rating=False,
    include_meta=False,
    include_artist=False,
    include_quality=False,
    include_year=False,
)


@dataclass(frozen=True)
class Trace:
    """How a caption came about: the conditions drawn and the tags dropped, in schema order, Danbooru's spelling."""

    unconditional: bool
    names_protected: bool
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class Caption:
    """A caption's text and its trace."""

    text: str
    trace: Trace


@dataclass(frozen=True)
class _Tag:
    """A tag with its schema group."""

    name: str
    group: str


def caption(post: Post, config: CaptionConfig, seed: int, epoch: int) -> Caption:
    """The caption of ``post`` in one epoch; the same arguments give the same caption in any process."""
    tags = [_Tag(name, group) for group, names in _groups(post, config) for name in names]
    names_protected = _chance(config.name_protection, seed, "names", post.id, epoch)
    protected = {tag for tag in tags if tag.name in config.protected}
    safe = protected | {tag for tag in tags if names_protected and tag.group in NAME_GROUPS}
    unconditional = _chance(config.uncond_rate, seed, "unconditional", post.id, epoch)
    kept = list(protected) if unconditional else _drop(tags, safe, config.tag_dropout, seed, post.id, epoch)
    order = _shuffled(tags, seed, post.id, epoch) if config.shuffle else tags
    chosen = frozenset(kept)
    text = SEPARATOR.join(spaced(tag.name) for tag in order if tag in chosen)
    dropped = tuple(tag.name for tag in tags if tag not in chosen)
    return Caption(text, Trace(unconditional, names_protected, dropped))


def prompt_text(tags: Post | Iterable[str], config: CaptionConfig = TINY, characters: Sequence[str] = ()) -> str:
    """The caption with nothing dropped or shuffled, as a prompt: of a post, or of general tags and character names."""
    if isinstance(tags, Post):
        ordered = [name for _, names in _groups(tags, config) for name in names]
    else:
        general = list(tags)
        ordered = [*_person_count(general), *characters, *_other_general(general)]
    return SEPARATOR.join(spaced(name) for name in ordered)


def spaced(tag: str) -> str:
    """A tag as captions spell it: spaces for underscores, except in emoticons such as ``^_^``."""
    return tag if len(tag) <= LONGEST_EMOTICON else tag.replace("_", " ")


def year_word(year: int) -> str:
    """The year modifier of Table 4; the years are inclusive upper bounds, later ones are ``newest``."""
    return next((word for last, word in YEAR_WORDS if year <= last), "newest")


def _groups(post: Post, config: CaptionConfig) -> Iterator[tuple[str, list[str]]]:
    """(group, tags) in schema order; tags sorted within a group, so their order in the post does not matter."""
    yield "person", _person_count(post.general)
    yield "character", sorted(post.character)
    yield "copyright", sorted(post.copyright) if config.include_copyright else []
    yield "rating", [RATINGS[post.rating]] if config.include_rating else []
    yield "general", _other_general(post.general)
    yield "meta", sorted(filter(KEPT_META.fullmatch, post.meta)) if config.include_meta else []
    yield "artist", sorted(post.artist) if config.include_artist else []
    yield "quality", [post.quality] if config.include_quality and post.quality else []
    yield "year", [year_word(post.created_at.year)] if config.include_year else []


def _person_count(general: Iterable[str]) -> list[str]:
    matches = [match for tag in general if (match := PERSON_COUNT.fullmatch(tag))]
    matches.sort(key=lambda match: (PERSON_ORDER.index(match[1]), match[0]))
    return [match[0] for match in matches]


def _other_general(general: Iterable[str]) -> list[str]:
    return sorted(tag for tag in general if not PERSON_COUNT.fullmatch(tag))


def _chance(rate: float, seed: int, stage: str, post_id: int, epoch: int) -> bool:
    return stream(seed, "caption", stage, post_id, epoch).random() < rate


def _drop(tags: list[_Tag], safe: set[_Tag], rate: float, seed: int, post_id: int, epoch: int) -> list[_Tag]:
    """Per-tag dropout. A number is drawn for safe tags too, so protecting one tag changes no other."""
    rng = stream(seed, "caption", "dropout", post_id, epoch)
    return [tag for tag in tags if not (rng.random() < rate and tag not in safe)]


def _shuffled(tags: list[_Tag], seed: int, post_id: int, epoch: int) -> list[_Tag]:
    """General tags in random places among themselves; every other group stays where the schema puts it."""
    places = [index for index, tag in enumerate(tags) if tag.group == "general"]
    general = [tags[index] for index in places]
    stream(seed, "caption", "shuffle", post_id, epoch).shuffle(general)
    order = list(tags)
    for index, tag in zip(places, general, strict=True):
        order[index] = tag
    return order
