"""A Scene says what one picture shows; its tags follow from the tables and from what stays visible."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from training.dataset.tables import (
    BACKGROUNDS,
    BROWS,
    DETAILS,
    EARRING_PERCENT,
    EYE_COLORS,
    EYES,
    EYEWEAR,
    HAIR,
    HAIR_COLORS,
    MOUTHS,
    SKINS,
    Part,
)

MAX_SHIFT = 2


@dataclass(frozen=True)
class Identity:
    """What stays the same in every picture of a named character; all values are keys of the tables."""

    hair: str
    hair_color: str
    skin: str
    eye_color: str
    eyewear: str = "none"
    earrings: bool = False
    detail: str = "none"

    @property
    def look(self) -> tuple[str, str, str]:
        """The combination reserved for a named character: hair, hair colour, skin."""
        return self.hair, self.hair_color, self.skin

    @property
    def person(self) -> str:
        """Danbooru's person count of the single head: ``1girl`` or ``1boy``."""
        return HAIR[self.hair].person

    def tags(self) -> tuple[str, ...]:
        """Identity tags that hold in every picture (the eye colour only where eyes can be seen)."""
        eye_color = () if self.eyewear == "sunglasses" else (f"{self.eye_color}_eyes",)
        earrings = ("earrings",) if self.earrings else ()
        return (
            self.person,
            f"{self.hair_color}_hair",
            *HAIR[self.hair].tags,
            *eye_color,
            *SKINS[self.skin].tags,
            *EYEWEAR[self.eyewear].tags,
            *earrings,
            *DETAILS[self.detail].tags,
        )


@dataclass(frozen=True)
class Scene:
    """One picture: an identity, an expression, a background and a placement.

    ``shift`` is a translation in percent of the picture's side, each part within +-``MAX_SHIFT``.
    """

    identity: Identity
    eyes: str
    mouth: str
    brows: str
    background: str
    flip: bool = False
    shift: tuple[int, int] = (0, 0)

    def general_tags(self) -> tuple[str, ...]:
        """All general tags that are visibly true, in alphabetical order as Danbooru stores them."""
        hidden = {f"{self.identity.eye_color}_eyes"} if self.eyes == "closed" else set()
        eyes = () if self.identity.eyewear == "sunglasses" else EYES[self.eyes].tags
        tags = {
            *self.identity.tags(),
            *eyes,
            *MOUTHS[self.mouth].tags,
            *BROWS[self.brows].tags,
            f"{self.background}_background",
            "solo",
        }
        return tuple(sorted(tags - hidden))


def _weighted(rng: random.Random, parts: Mapping[str, Part], allowed: Iterable[str]) -> str:
    names = list(allowed)
    return rng.choices(names, weights=[parts[name].weight for name in names])[0]


def _details_for(person: str, skin: str) -> list[str]:
    """Mustaches are the boys'; a blush cannot be seen on the tan skin."""
    barred = {"mustache" if person == "1girl" else "", "blush" if skin == "tan" else ""}
    return [name for name in DETAILS if name not in barred]


def random_identity(rng: random.Random) -> Identity:
    """An identity for a generic post: hair, colours and skin uniform, the rest by the tables' weights."""
    hair = rng.choice(list(HAIR))
    skin = rng.choice(list(SKINS))
    return Identity(
        hair=hair,
        hair_color=rng.choice(list(HAIR_COLORS)),
        skin=skin,
        eye_color=rng.choice(list(EYE_COLORS)),
        eyewear=_weighted(rng, EYEWEAR, EYEWEAR),
        earrings=HAIR[hair].ear and rng.random() * 100 < EARRING_PERCENT,
        detail=_weighted(rng, DETAILS, _details_for(HAIR[hair].person, skin)),
    )


def random_scene(rng: random.Random, identity: Identity) -> Scene:
    """A picture of ``identity``: expression by the tables' weights, background, flip and shift uniform.

    Combinations that hide their own tags are not made: no wink behind a fringe, no angry brows under hair or glasses.
    """
    hair = HAIR[identity.hair]
    eyes = _weighted(rng, EYES, [name for name in EYES if name != "wink" or hair.both_eyes])
    mouth = _weighted(rng, MOUTHS, [name for name in MOUTHS if name != "lipstick" or hair.person == "1girl"])
    brows_seen = hair.brows and identity.eyewear == "none" and eyes in {"open", "half_closed"}
    brows = _weighted(rng, BROWS, BROWS if brows_seen else ["plain"])
    return Scene(
        identity=identity,
        eyes=eyes,
        mouth=mouth,
        brows=brows,
        background=rng.choice(list(BACKGROUNDS)),
        flip=rng.random() < 0.5,
        shift=(rng.randint(-MAX_SHIFT, MAX_SHIFT), rng.randint(-MAX_SHIFT, MAX_SHIFT)),
    )


def generic_scene(rng: random.Random, reserved: frozenset[tuple[str, str, str]]) -> Scene:
    """A picture of nobody in particular, whose look is none of the ``reserved`` ones."""
    identity = random_identity(rng)
    while identity.look in reserved:
        identity = random_identity(rng)
    return random_scene(rng, identity)
