"""Content ratings: the rating token in every positive prompt, and tags that no prompt may hold. No torch.

The policy is part of the Recipe, so all sides of a matchup share it. docs/modes.md describes it.
"""

import unicodedata
from collections.abc import Iterable

from generation.errors import RenderError
from generation.recipe import CONTENT_RATINGS, Recipe
from generation.tags import SEPARATOR, person_rank


def sent_prompt(recipe: Recipe, prompt: str) -> str:
    """The text that the checkpoint gets: the prompt, with the recipe's rating token behind its person counts.

    That is where captions have it but for characters' names, which a text does not tell from other tags. A prompt that
    has the token already stays as it is.

    Raises RenderError for a banned tag, and for a token of another rating.
    """
    banned = found_in(prompt, recipe.banned_tags.split(","))
    if banned:
        raise RenderError(f"prompt {prompt[:60]!r}: {banned!r} is banned by the recipe; leave it out")
    if not recipe.content_rating:
        return prompt
    tags = [tag.strip() for tag in prompt.split(",")]
    # The numbers of a weight, as in (general:1.2), are no part of the tag.
    words = {" ".join(word for word in plain_words(tag).split() if not word.isdigit()) for tag in tags}
    ratings = words.intersection(CONTENT_RATINGS)
    if others := sorted(ratings - {recipe.content_rating}):
        raise RenderError(
            f"prompt {prompt[:60]!r} asks for {others[0]!r}; the recipe's content rating is {recipe.content_rating!r}"
        )
    if ratings:
        return prompt
    persons = next((i for i, tag in enumerate(tags) if person_rank(tag.replace(" ", "_")) < 0), len(tags))
    return SEPARATOR.join([*tags[:persons], recipe.content_rating, *tags[persons:]])


def plain_words(text: str) -> str:
    """The words of a text between single spaces, with a space at both ends; no case, accents, marks or punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = (character for character in decomposed if unicodedata.category(character) != "Mn")
    spaced = "".join(character if character.isalnum() else " " for character in letters)
    return f" {' '.join(spaced.split())} "


def found_in(text: str, tags: Iterable[str]) -> str | None:
    """The first of the tags that occurs in the text as whole words."""
    words = plain_words(text)
    return next((tag.strip() for tag in tags if tag.strip() and plain_words(tag) in words), None)
