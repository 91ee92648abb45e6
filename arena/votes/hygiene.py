"""What a typed prompt may hold. docs/moderation.md lists it; words stop accidents, flags and people do the rest."""

import logging
import unicodedata
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext

from arena.polls.models import Poll
from arena.votes.refusals import NoPromptsHere, PromptRefused
from generation.content import found_in
from generation.tags import RATING_WORDS, respelled

MAX_CHARACTERS = 300

logger = logging.getLogger(__name__)


def clean(text: str, poll: Poll) -> str:
    """The prompt in Unicode's compatible form, spelled as captions are. Raises PromptRefused naming what is wrong.

    Raises NoPromptsHere while the list of banned tags cannot be read.
    """
    text = normalised(text)
    if len(text) > MAX_CHARACTERS:
        numbers = {"length": f"{len(text):,}", "most": MAX_CHARACTERS}
        raise PromptRefused(gettext("The prompt has %(length)s characters; at most %(most)d fit.") % numbers)
    text = respelled(text)
    if not text:
        raise PromptRefused(gettext("The prompt is empty."))
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise PromptRefused(gettext("The prompt holds characters that are not text."))
    banned = found_in(text, [*banned_everywhere(), *poll.banned_tags.split(",")])
    if banned:
        raise PromptRefused(gettext("“%(word)s” is not drawn here.") % {"word": banned})
    rated = found_in(text, words_above(poll.content_rating))
    if rated:
        sentence = gettext("“%(word)s” is not drawn here: this poll shows %(rating)s images only.")
        raise PromptRefused(sentence % {"word": rated, "rating": poll.get_content_rating_display()})
    return text


def normalised(text: str) -> str:
    """NFKC, so that full-width and styled letters become plain ones, with runs of white space as one space.

    Longer texts than could ever fit are left alone.
    """
    if len(text) > 10 * MAX_CHARACTERS:
        return text
    return " ".join(unicodedata.normalize("NFKC", " ".join(text.split())).split())


def words_above(rating: str) -> list[str]:
    """The words of every content rating above this one."""
    ratings = list(Poll.ContentRating)
    above = ratings[ratings.index(Poll.ContentRating(rating)) + 1 :]
    return [word for level in above for word in RATING_WORDS[level]]


def banned_everywhere() -> tuple[str, ...]:
    """The tags of the file in the settings, read again when it changes. Raises NoPromptsHere when it cannot be read."""
    path = Path(settings.ARENA_BANNED_TAGS_FILE)
    try:
        return read_tags(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as error:
        logger.exception("the list of banned tags cannot be read, so no typed prompt is taken")
        raise NoPromptsHere(gettext("Typed prompts are not taken just now.")) from error


@lru_cache(maxsize=4)
def read_tags(path: Path, changed: int) -> tuple[str, ...]:
    """The lines of a file but for empty ones and comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
