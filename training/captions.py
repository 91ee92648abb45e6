"""Captions as one pure function of (post, config, seed, epoch), with a trace of how each came about.

Tags stand in the schema's order (`generation.tags`). Every random stage draws numbers of its own, named by the stage,
the post and the epoch, so a caption depends neither on workers nor on order, and a stage at rate 0 moves no other.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from generation.tags import SEPARATOR, prompt, split_persons
from training import stages
from training.caption_config import TINY, CaptionConfig
from training.posts import Post
from training.rng import Draws
from training.sheets import Sheet, arrange


class Trace(NamedTuple):
    """How a caption came about; tags in Danbooru's spelling, in schema order.

    Attributes:
        stage: what decided which tags stay: "full", "tag dropout", "text only", "unconditional", or "level N" (from 1).
        tags: the post's tags that the config takes in.
        places: which of ``tags`` are in the caption.
        names: which of ``tags`` are character and artist names.
        safe: which of the names this draw kept from being dropped.
        protected: which of ``tags`` are no-dropout tokens.
        paraphrased: (tag, what stands for it).
        text: which of the post's texts is in the caption, -1 for none.
        register: the register tokens.
        spaces: separators that became spaces.
    """

    stage: str
    tags: tuple[str, ...]
    places: frozenset[int]
    names: tuple[int, ...]
    safe: tuple[int, ...]
    protected: tuple[int, ...]
    paraphrased: tuple[tuple[str, str], ...]
    text: int
    register: tuple[str, ...]
    spaces: int

    @property
    def unconditional(self) -> bool:
        """Whether the caption was emptied for classifier-free guidance."""
        return self.stage == stages.UNCONDITIONAL

    @property
    def names_protected(self) -> tuple[str, ...]:
        """The names that this draw kept from being dropped."""
        return tuple(self.tags[place] for place in self.safe)

    @property
    def kept(self) -> tuple[str, ...]:
        """The post's tags that are in the caption."""
        return tuple(tag for place, tag in enumerate(self.tags) if place in self.places)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The post's tags that are not in the caption."""
        return tuple(tag for place, tag in enumerate(self.tags) if place not in self.places)


class Caption(NamedTuple):
    """A caption's text and its trace."""

    text: str
    trace: Trace


def caption(post: Post, config: CaptionConfig, seed: int, epoch: int) -> Caption:
    """The caption of ``post`` in one epoch; the same arguments give the same caption in any process."""
    draws = Draws("caption", seed, post.id, epoch, slots=stages.SLOTS)
    sheet = arrange(post, config, stages.happens(config.year_number_rate, draws, "year"))
    protected = _protected(sheet, config.protected)
    safe = stages.protected_names(config, sheet.names, draws)
    stage = stages.choose(config, bool(post.texts), draws)
    kept = stages.kept(stage, config, sheet.places, protected, safe, draws)
    places = stages.shuffled(kept, sheet.general, len(sheet.tags), draws) if config.shuffle else sorted(kept)
    pieces, paraphrased = _pieces(config, sheet, places, draws)
    text = stages.text_index(stage, config, len(post.texts), draws)
    if text >= 0:
        pieces.insert(_text_place(config, sheet, places), post.texts[text])
    register = stages.register_tokens(stage, config, post.register, draws)
    if register:
        pieces = stages.with_register(config, pieces, register, draws)
    line, spaces = stages.joined(config, pieces, draws)
    return Caption(
        line, Trace(stage, sheet.tags, kept, sheet.names, safe, protected, paraphrased, text, register, spaces)
    )


def prompt_text(tags: Post | Iterable[str], config: CaptionConfig = TINY, characters: Sequence[str] = ()) -> str:
    """The caption with nothing dropped or shuffled, as a prompt: of a post, or of general tags and character names."""
    if isinstance(tags, Post):
        return SEPARATOR.join(arrange(tags, config).spelled)
    persons, general = split_persons(tags)
    return prompt({"person": persons, "character": characters, "general": general})


def _protected(sheet: Sheet, protected: frozenset[str]) -> tuple[int, ...]:
    if not protected or protected.isdisjoint(sheet.tags):
        return ()
    return tuple(place for place, tag in enumerate(sheet.tags) if tag in protected)


def _pieces(
    config: CaptionConfig, sheet: Sheet, places: Sequence[int], draws: Draws
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The kept tags as text, some of them paraphrased."""
    pieces = list(map(sheet.spelled.__getitem__, places))
    if not stages.happens(config.paraphrase_rate, draws, "paraphrase"):
        return pieces, ()
    table, changed = config.paraphrase_table, []
    for number, place in enumerate(places):
        tag = sheet.tags[place]
        if tag in table and place not in sheet.names and tag not in config.protected:
            pieces[number] = stages.pick(table[tag], draws, f"paraphrase {tag}")
            changed.append((tag, pieces[number]))
    return pieces, tuple(changed)


def _text_place(config: CaptionConfig, sheet: Sheet, places: Sequence[int]) -> int:
    """Before which piece the text stands; person count and character names come before everything that is shuffled."""
    if config.text_place == "start":
        return 0
    if config.text_place == "end":
        return len(places)
    return sum(1 for place in places[: sheet.head] if place < sheet.head)
