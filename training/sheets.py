"""A post's tags laid out in the schema's order, once for every layout that captions ask for."""

from functools import cache
from itertools import chain
from typing import NamedTuple

from generation.tags import NAME_GROUPS, RATINGS, is_kept_meta, spaced, split_persons, year_word
from training.caption_config import CaptionConfig
from training.posts import Post

Groups = dict[str, tuple[str, ...]]


class Sheet(NamedTuple):
    """Tags in schema order, sorted within a group whatever the post's own order; places count from 0.

    Attributes:
        tags, spelled: the tags, and how text spells them.
        places: those of all tags.
        names: places of character and artist names.
        general: places of the general group.
        head: how many tags are person counts and character names; they stand first.
    """

    tags: tuple[str, ...]
    spelled: tuple[str, ...]
    places: frozenset[int]
    names: tuple[int, ...]
    general: range
    head: int


def arrange(post: Post, config: CaptionConfig, year_number: bool = False) -> Sheet:
    """The sheet of ``post`` for the groups that ``config`` takes in; ``year_number`` adds ``year 2023``.

    A post keeps its sheets, since laying one out takes longer than drawing a caption from it.
    """
    layout = config.layouts[year_number]
    sheet: Sheet | None = post.sheets.get(layout)
    if sheet is None:
        sheet = post.sheets[layout] = (
            _with_year_number(arrange(post, config), post, config) if year_number else _sheet(groups_of(post, config))
        )
    return sheet


def _sheet(groups: Groups) -> Sheet:
    ranges, first = {}, 0
    for group, members in groups.items():
        ranges[group] = range(first, first + len(members))
        first += len(members)
    tags = tuple(chain.from_iterable(groups.values()))
    names = tuple(chain.from_iterable(ranges[group] for group in NAME_GROUPS))
    head = len(groups["person"]) + len(groups["character"])
    return Sheet(tags, tuple(map(spaced, tags)), _places(first), names, ranges["general"], head)


def _with_year_number(sheet: Sheet, post: Post, config: CaptionConfig) -> Sheet:
    """The sheet with ``year 2023`` at its end, where the schema has the year."""
    more = _year(post, config, True)[1:] if config.include_year else ()
    tags, spelled = sheet.tags + more, sheet.spelled + tuple(map(spaced, more))
    return sheet._replace(tags=tags, spelled=spelled, places=_places(len(tags)))


@cache
def _places(count: int) -> frozenset[int]:
    """One set for all posts with as many tags."""
    return frozenset(range(count))


def groups_of(post: Post, config: CaptionConfig, year_number: bool = False) -> Groups:
    """The post's tags by group, in schema order; every group of the schema is there."""
    persons, general = split_persons(post.general)
    rights = sorted(post.copyright)
    if config.copyright == "general":
        general = sorted([*general, *rights])
    return {
        "person": tuple(persons),
        "character": tuple(sorted(post.character)),
        "copyright": tuple(rights) if config.copyright == "after_character" else (),
        "rating": (RATINGS[post.rating],) if config.include_rating and post.rating else (),
        "general": tuple(general),
        "meta": tuple(sorted(filter(is_kept_meta, post.meta))) if config.include_meta else (),
        "artist": tuple(sorted(post.artist)) if config.include_artist else (),
        "quality": (post.quality,) if config.include_quality and post.quality else (),
        "year": _year(post, config, year_number) if config.include_year else (),
    }


def _year(post: Post, config: CaptionConfig, number: bool) -> tuple[str, ...]:
    if post.created_at is None:
        return ()
    year = post.created_at.year
    word = year_word(year, config.year_bounds)
    return (word, f"year_{year}") if number else (word,)
