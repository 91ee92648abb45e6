"""What a caption holds, and every choice that the paper leaves open, as named values (docs/captions.md).

The values go into every manifest. Numbers in brackets such as [A3] are the interpretations that docs/captions.md lists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

from generation.tags import YEAR_BOUNDS, spaced

# Illustrious section 3.2, fifth: 'Tags like "1girl, 1boy" were paraphrased as "one girl, single women," etc.'
PARAPHRASES = (
    ("1girl", "one girl", "a girl", "single woman", "one woman"),
    ("1boy", "one boy", "a boy", "single man", "one man"),
    ("1other", "one person", "a person"),
    ("2girls", "two girls", "pair of girls", "two women"),
    ("2boys", "two boys", "pair of boys", "two men"),
    ("3girls", "three girls", "three women"),
    ("3boys", "three boys", "three men"),
    ("multiple_girls", "several girls", "many girls", "several women"),
    ("multiple_boys", "several boys", "many boys", "several men"),
    ("no_humans", "nobody", "without people"),
    ("solo", "alone", "only one person"),
)
CHOICES = {
    "rounding": ("floor", "ceil", "round"),
    "level_select": ("random", "head"),
    "name_scope": ("caption", "tag"),
    "copyright": ("after_character", "general", "drop"),
    "space_scope": ("caption", "comma"),
    "text_place": ("start", "after_names", "end"),
    "text_choice": ("any", "first"),
    "register_place": ("end", "anywhere"),
}
RATES = (
    "tag_dropout", "name_protection", "uncond_rate", "paraphrase_rate", "space_rate", "text_rate", "text_only_rate",
    "register_rate", "assigned_register_rate", "year_number_rate",
)  # fmt: skip


@dataclass(frozen=True)
class Level:
    """A stage of the multi-level dropout: with probability ``rate``, min(N, max(``share`` of N, ``least``)) tags stay.

    Raises:
        ValueError: a number outside its range.
    """

    rate: float
    share: float
    least: int

    def __post_init__(self) -> None:
        if not (0 <= self.rate <= 1 and 0 <= self.share <= 1 and self.least >= 0):
            raise ValueError(f"a level needs rate and share from 0 to 1 and least from 0 on, got {self}")

    def kept(self, tags: int, rounding: str = "floor") -> int:
        """How many of ``tags`` droppable tags stay [A2]. ``rounding``: floor, ceil, or round (halves to even)."""
        return _kept(self.share, self.least, tags, rounding)


@cache
def _kept(share: float, least: int, tags: int, rounding: str) -> int:
    part = round(share * tags, 9)  # 0.3 * 10 is a little more than 3 in binary
    if rounding == "round":
        return min(tags, max(round(part), least))
    return min(tags, max(math.ceil(part) if rounding == "ceil" else math.floor(part), least))


# Section 3.2: 30 % max(30 %, 10), 20 % max(40 %, 15), 10 % min(6, N), 4 % min(4, N); 36 % are unsaid [A1].
PAPER_LEVELS = (Level(0.30, 0.30, 10), Level(0.20, 0.40, 15), Level(0.10, 0, 6), Level(0.04, 0, 4))


@dataclass(frozen=True)
class CaptionConfig:
    """The stages of section 3.2 with their rates; all rates are probabilities, and a stage at rate 0 changes nothing.

    Attributes:
        levels, rounding, level_select: multi-level dropout [A1-A3]; ``head`` keeps the first tags in schema order.
        tag_dropout: captions of no level lose each droppable tag with this rate; 0 is "to full tags" [A1].
        name_protection, name_scope: with this rate character and artist names cannot be dropped (weak-probability
            dropout), all of a caption together or each by itself [A6].
        protected: no-dropout tokens; kept by every stage, on top of a level's count [A4].
        protect_in_uncond: whether they also stay in the empty caption [A4].
        uncond_rate: captions emptied for classifier-free guidance; not from the paper [A5].
        shuffle: general tags in random order.
        paraphrase_rate, paraphrases: captions in which every tag of the table takes one of its other forms
            (a row is the tag, then its forms); protected tags and names never do.
        space_rate, space_scope: commas replaced by spaces, in the whole caption or each by itself [A11].
        text_rate, text_only_rate: captions with a natural-language text beside the tags, or instead of all but the
            protected ones, where the post has a text; ``text_place`` says where it stands.
        text_choice: which of several texts: any, anew for each caption (multi-caption), or the first.
        register_rate, register_count, register_length: captions with random strings of [a-z0-9] [A17].
        register_excluded: strings that are tags of the vocabulary, never drawn.
        assigned_register_rate: captions of a post that has a register string of its own with that string [A17].
        register_place: the register tokens stand last, or anywhere [A17].
        copyright: after the character names, among the general tags, or left out [A10].
        year_bounds: the last years of oldest, old, modern and recent [A9].
        year_number_rate: captions with ``year 2023`` beside ``newest`` [A9].

    Raises:
        ValueError: a value outside its range; it is named.
    """

    levels: tuple[Level, ...] = ()
    rounding: str = "floor"
    level_select: str = "random"
    tag_dropout: float = 0.0
    name_protection: float = 0.8
    name_scope: str = "caption"
    protected: frozenset[str] = frozenset()
    protect_in_uncond: bool = True
    uncond_rate: float = 0.1
    shuffle: bool = True
    paraphrase_rate: float = 0.0
    paraphrases: tuple[tuple[str, ...], ...] = PARAPHRASES
    space_rate: float = 0.0
    space_scope: str = "caption"
    text_rate: float = 0.0
    text_only_rate: float = 0.0
    text_place: str = "after_names"
    text_choice: str = "any"
    register_rate: float = 0.0
    register_count: tuple[int, int] = (1, 4)
    register_length: tuple[int, int] = (4, 8)
    register_excluded: frozenset[str] = frozenset()
    assigned_register_rate: float = 1.0
    register_place: str = "end"
    copyright: str = "after_character"
    include_rating: bool = True
    include_meta: bool = True
    include_artist: bool = True
    include_quality: bool = True
    include_year: bool = True
    year_bounds: tuple[int, ...] = YEAR_BOUNDS
    year_number_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in RATES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        _check_values(self)

    @cached_property
    def named_levels(self) -> dict[str, Level]:
        """The levels as a trace calls them, "level 1" first."""
        return {f"level {number}": level for number, level in enumerate(self.levels, 1)}

    @cached_property
    def layouts(self) -> tuple[str, str]:
        """Names for what a post's sheet depends on, without and with the year by number (`training.sheets`)."""
        fields = (
            self.copyright, self.include_rating, self.include_meta, self.include_artist, self.include_quality,
            self.include_year, self.year_bounds,
        )  # fmt: skip
        return f"{fields}", f"{fields} by number"

    @cached_property
    def paraphrase_table(self) -> dict[str, tuple[str, ...]]:
        """Tag to its other forms, as text spells them."""
        return {row[0]: tuple(map(spaced, row[1:])) for row in self.paraphrases}


def _check_values(config: CaptionConfig) -> None:
    if sum(level.rate for level in config.levels) > 1 + 1e-9:
        raise ValueError(f"the rates of levels must not add up to more than 1, got {config.levels}")
    if config.text_rate + config.text_only_rate > 1 + 1e-9:
        raise ValueError("text_rate and text_only_rate must not add up to more than 1")
    for name, least in (("register_count", 1), ("register_length", 4)):
        low, high = getattr(config, name)
        if not least <= low <= high <= 8:
            raise ValueError(f"{name} must be two numbers from {least} to 8, the smaller first, got {low}, {high}")
    if len(config.year_bounds) != 4 or list(config.year_bounds) != sorted(set(config.year_bounds)):
        raise ValueError(f"year_bounds must be four rising years, got {config.year_bounds}")
    if any(len(row) < 2 for row in config.paraphrases):
        raise ValueError("each row of paraphrases must be a tag and at least one other form")


# The tiny text encoders read 48 positions: person count, names and general tags only.
TINY = CaptionConfig(
    tag_dropout=0.1,
    copyright="drop",
    include_rating=False,
    include_meta=False,
    include_artist=False,
    include_quality=False,
    include_year=False,
)
