"""Which attributes a prompt's tags demand, and how often pictures show them.

An attribute's value is the space-joined, sorted tags of its group, e.g. ``eyewear: "glasses red-framed_eyewear"``, or
``NONE`` where the group's tags are absent. The same function labels the renders that train the check.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.dataset.tables import BACKGROUNDS, EYE_COLORS, EYES, EYEWEAR, HAIR, HAIR_COLORS, MOUTHS, SKINS
from training.posts import Post

NONE = "none"
PALETTE_PREFIX = "palette_"


def value_of(tags: Iterable[str]) -> str:
    """The attribute value that a set of tags spells."""
    return " ".join(sorted(tags)) or NONE


# Attribute -> the values it can take.
VALUES: dict[str, tuple[str, ...]] = {
    "hair_color": tuple(f"{name}_hair" for name in HAIR_COLORS),
    "hair_style": tuple(dict.fromkeys(value_of(hair.tags) for hair in HAIR.values())),
    "eyewear": tuple(value_of(part.tags) for part in EYEWEAR.values()),
    "skin": tuple(value_of(skin.tags) for skin in SKINS.values()),
    "background": tuple(f"{name}_background" for name in BACKGROUNDS),
    "mouth": tuple(value_of(part.tags) for part in MOUTHS.values()),
    "eyes": tuple(value_of(part.tags) for part in EYES.values()),
    "eye_color": tuple(f"{name}_eyes" for name in EYE_COLORS),
}
TAGS: dict[str, frozenset[str]] = {
    attribute: frozenset(tag for value in values for tag in value.split()) - {NONE}
    for attribute, values in VALUES.items()
}


def wanted(prompt: Post | Iterable[str], complete: bool = True) -> dict[str, str]:
    """The attribute values demanded by a post or by general tags (Danbooru's or captions' spelling).

    With ``complete`` the tags describe the whole picture, so that no eyewear tag demands a face without eyewear;
    otherwise only what is named is demanded. What sunglasses hide is never demanded.
    """
    tags = prompt.general if isinstance(prompt, Post) else prompt
    names = {tag.strip().replace(" ", "_") for tag in tags}
    values = {attribute: value_of(names & group) for attribute, group in TAGS.items()}
    hidden = {"eyes", "eye_color"} if "sunglasses" in names else set()
    return {
        attribute: value
        for attribute, value in values.items()
        if attribute not in hidden and (value != NONE or (complete and NONE in VALUES[attribute]))
    }


def shows(value: str, seen: str) -> bool:
    """Whether a picture whose attribute was ``seen`` satisfies the demanded ``value``: every demanded tag is there."""
    return set(value.split()) <= set(seen.split())


@dataclass(frozen=True)
class Match:
    """How many of ``total`` pictures show an attribute as demanded; ``low`` and ``high``: 95 % Wilson interval."""

    attribute: str
    matched: int
    total: int

    @property
    def share(self) -> float:
        """Matched share in [0, 1]."""
        return self.matched / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share."""
        return wilson(self.matched, self.total)


def wilson(matched: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), by default at 95 %.

    Raises:
        ValueError: no trials.
    """
    if total < 1:
        raise ValueError(f"a share needs at least one trial, got {total}")
    share, spread = matched / total, z * z / total
    centre = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


def match_table(demands: Sequence[Mapping[str, str]], predictions: Sequence[Mapping[str, str]]) -> list[Match]:
    """One row per predicted attribute that was demanded at least once, in the predictions' order.

    ``demands[i]`` is ``wanted(...)`` of picture i's prompt, ``predictions[i]`` what the checker saw in it. A
    ``palette_`` attribute is measured against the same demand as the attribute itself.

    Raises:
        ValueError: the two sequences differ in length.
    """
    pairs = list(zip(demands, predictions, strict=True))
    rows = []
    for attribute in predictions[0] if predictions else ():
        demanded = attribute.removeprefix(PALETTE_PREFIX)
        hits = [shows(demand[demanded], seen[attribute]) for demand, seen in pairs if demanded in demand]
        if hits:
            rows.append(Match(attribute, sum(hits), len(hits)))
    return rows


def format_table(rows: Sequence[Match]) -> str:
    """The table as plain text: attribute, share, 95 % interval, counts."""
    lines = [f"{'attribute':<20} {'share':>6}  {'95 % interval':<13} {'matched':>9}"]
    for row in rows:
        low, high = row.interval
        lines.append(f"{row.attribute:<20} {row.share:>6.3f}  {low:.3f}-{high:.3f}   {row.matched:>4}/{row.total}")
    return "\n".join(lines)
