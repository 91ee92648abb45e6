"""Slices of a board: only the votes on some prompts, or among some contestants. Written `character=Alice`."""

from collections.abc import Callable
from dataclasses import dataclass

from arena.gallery.models import Character, Contestant, Prompt
from arena.polls.models import Poll
from generation.content import found_in
from generation.tags import RATING_WORDS

SHOWN = 20


class UnknownBoardError(ValueError):
    """A metric, poll, population, slice or moment that does not exist; the text lists the known ones."""


@dataclass(frozen=True)
class Cut:
    """Which votes are left: those on these prompts, and those with these contestants alone; None for no condition."""

    prompts: frozenset[int] | None = None
    contestants: frozenset[int] | None = None


def cut_of(text: str) -> Cut:
    """The votes that a slice leaves; all for an empty text.

    `character=NAME`: prompts of that character. `tag=TAG`: prompts that hold the tag between commas.
    `content_rating=R`: prompts whose words ask for that rating, "general" where none does. `resolution=WxH`:
    contestants of that image size.
    Raises UnknownBoardError naming what is known.
    """
    if not text:
        return Cut()
    kind, sign, value = text.partition("=")
    if kind not in CUTS or not sign or not value:
        raise UnknownBoardError(f"there is no slice {text!r}; write {', '.join(f'{name}=…' for name in CUTS)}")
    return CUTS[kind](value)


def known_cuts() -> dict[str, list[str]]:
    """What may be asked for, by kind; of tags those of the polls' own prompts."""
    prompts = Prompt.objects.filter(origin=Prompt.Origin.SET, prompt_set__polls__isnull=False)
    tags = {tag for text in prompts.values_list("text", flat=True) for tag in tags_of(text)}
    return {
        "character": list(Character.objects.values_list("name", flat=True)),
        "tag": sorted(tags),
        "content_rating": list(Poll.ContentRating.values),
        "resolution": sorted({size_of(recipe) for recipe in Contestant.objects.values_list("recipe", flat=True)}),
    }


def tags_of(text: str) -> list[str]:
    """The tags of a prompt, in lower case with single spaces."""
    return [" ".join(tag.replace("_", " ").lower().split()) for tag in text.split(",") if tag.strip()]


def size_of(recipe: dict[str, object]) -> str:
    """Width and height in pixels, such as 64x64."""
    return f"{recipe['width']}x{recipe['height']}"


def content_rating_of(text: str) -> str:
    """The most that the words of a prompt ask for."""
    asked = [level for level, words in RATING_WORDS.items() if found_in(text, words)]
    return asked[-1] if asked else Poll.ContentRating.GENERAL


def _character(name: str) -> Cut:
    found = Character.objects.filter(name=name).first()
    if found is None:
        raise _unknown("character", name, list(Character.objects.values_list("name", flat=True)))
    return Cut(prompts=frozenset(found.prompts.values_list("pk", flat=True)))


def _tag(name: str) -> Cut:
    (tag,) = tags_of(name.replace(",", " ")) or [""]
    texts = Prompt.objects.filter(text__icontains=tag.split(" ")[0]).values_list("pk", "text")
    found = frozenset(pk for pk, text in texts if tag in tags_of(text))
    if not found:
        raise _unknown("tag", name, known_cuts()["tag"])
    return Cut(prompts=found)


def _content_rating(name: str) -> Cut:
    if name not in Poll.ContentRating.values:
        raise _unknown("content rating", name, Poll.ContentRating.values)
    texts = Prompt.objects.values_list("pk", "text")
    return Cut(prompts=frozenset(pk for pk, text in texts if content_rating_of(text) == name))


def _resolution(name: str) -> Cut:
    recipes = Contestant.objects.values_list("pk", "recipe")
    found = frozenset(pk for pk, recipe in recipes if size_of(recipe) == name)
    if not found:
        raise _unknown("resolution", name, sorted({size_of(recipe) for _, recipe in recipes}))
    return Cut(contestants=found)


def _unknown(what: str, name: str, known: list[str]) -> UnknownBoardError:
    rest = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return UnknownBoardError(f"there is no {what} {name!r}; known: {', '.join(known[:SHOWN]) or 'none'}{rest}")


CUTS: dict[str, Callable[[str], Cut]] = {
    "character": _character,
    "tag": _tag,
    "content_rating": _content_rating,
    "resolution": _resolution,
}
