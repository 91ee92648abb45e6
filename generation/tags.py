"""The tag schema that prompts and captions share: groups in their order, and how a tag is spelled.

Illustrious section 3.1.2: person count, character names, rating, general tags, artist, score range, year modifier.
The paper does not place copyright and meta tags: copyright follows the names, kept meta tags follow the general ones.
Tags keep Danbooru's spelling (underscores) until they become text.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

GROUPS = ("person", "character", "copyright", "rating", "general", "meta", "artist", "quality", "year")
NAME_GROUPS = ("character", "artist")
SEPARATOR = ", "
RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
# Words in a text that ask for a content rating above general, from the mildest on.
RATING_WORDS = {
    "sensitive": ("ecchi", "panties", "sensitive", "underwear"),
    "questionable": (
        "areola", "naked", "nipples", "nsfw", "nude", "nudity", "questionable", "sexual", "topless",
    ),
    "explicit": (
        "anal", "cum", "explicit", "fellatio", "genitals", "hentai", "masturbation", "penis", "porn", "pussy", "sex",
        "vagina", "xxx",
    ),
}  # fmt: skip
QUALITIES = ("worst quality", "bad quality", "average quality", "good quality", "best quality", "masterpiece")
YEARS = ("oldest", "old", "modern", "recent", "newest")
YEAR_BOUNDS = (2017, 2019, 2020, 2022)  # the last year of each but the newest, Table 4

_PERSONS = ("girl", "boy", "other")
_PERSON_COUNT = re.compile(rf"(?:\d+\+?|multiple_)({'|'.join(_PERSONS)})s?")
_KEPT_META = re.compile(r"highres|absurdres|.*_\(medium\)")
# Up to this length a tag is an emoticon such as ^_^ and keeps its underscores (as HakuBooru does).
_LONGEST_EMOTICON = 3
_REMEMBERED = 2**18  # tags; nearly all that posts have are among the most used ones
Value = TypeVar("Value")


class _Remembered(dict[str, Value]):
    """What a function says of tags, at the price of a look into a dict; a third of what lru_cache costs."""

    def __init__(self, work: Callable[[str], Value]) -> None:
        self._work = work

    def __missing__(self, tag: str) -> Value:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[tag] = self._work(tag)
        return value


def _remembered(work: Callable[[str], Value]) -> Callable[[str], Value]:
    return _Remembered(work).__getitem__


@_remembered
def person_rank(tag: str) -> int:
    """Place of a person count among its kind, girls before boys before others; -1 for any other tag.

    A person count is ``1girl``, ``2boys``, ``6+girls`` or ``multiple_others``.
    """
    match = _PERSON_COUNT.fullmatch(tag)
    return _PERSONS.index(match[1]) if match else -1


def split_persons(general: Iterable[str]) -> tuple[list[str], list[str]]:
    """Person counts in their order, and the other general tags in alphabetical order."""
    others = sorted(general)
    persons = [tag for tag in others if person_rank(tag) >= 0]
    for tag in persons:
        others.remove(tag)
    persons.sort(key=person_rank)
    return persons, others


@_remembered
def is_kept_meta(tag: str) -> bool:
    """Whether a meta tag says something about the picture: ``highres``, ``absurdres``, ``*_(medium)``."""
    return _KEPT_META.fullmatch(tag) is not None


def _spelled(tag: str) -> str:
    return tag if len(tag) <= _LONGEST_EMOTICON else tag.replace("_", " ")


@_remembered
def spaced(tag: str) -> str:
    """A tag as captions and prompts spell it: spaces for underscores, except in emoticons such as ``^_^``."""
    return _spelled(tag)


def year_word(year: int, bounds: Sequence[int] = YEAR_BOUNDS) -> str:
    """The year modifier of Table 4; ``bounds`` are inclusive, later years are ``newest``."""
    return YEARS[bisect_left(bounds, year)]


def in_schema_order(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The tags of ``groups`` (names of `GROUPS`) in the schema's order; within a group as they stand.

    Raises:
        KeyError: a name that is none of the schema's groups.
    """
    for name in groups:
        if name not in GROUPS:
            raise KeyError(f"{name!r} is no group of the tag schema: {', '.join(GROUPS)}")
    return (tag for name in GROUPS for tag in groups.get(name, ()))


def prompt(groups: Mapping[str, Sequence[str]]) -> str:
    """One line of text from tags by group, in the order in which captions were trained."""
    return SEPARATOR.join(spaced(tag) for tag in in_schema_order(groups))


def respelled(text: str) -> str:
    """A typed prompt, tags between commas, with tags and separators as captions spell them.

    The order stays, since a text does not tell a name from another tag, and a weight may span several.
    """
    return SEPARATOR.join(_spelled(piece.strip()) for piece in text.split(SEPARATOR.strip()) if piece.strip())
