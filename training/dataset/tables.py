"""What each drawing variant shows: hand-written tables from the style's variants to Danbooru tags.

The tables were made by looking at every variant at 192 px and again at 64 px: a tag stands here only where it can be
seen at 64 px. Variants that look like another one at that size are left out. Style: "Adventurer" by Lisa Wischofsky
(CC BY 4.0); tag names as in Danbooru.
"""

from dataclasses import dataclass

STYLE = "adventurer"
ARTIST = "lisa_wischofsky"
COPYRIGHT = "original"


@dataclass(frozen=True)
class Hair:
    """A hair variant: who wears it, its tags, and what stays visible beneath it."""

    person: str
    tags: tuple[str, ...]
    ear: bool = True
    both_eyes: bool = True
    brows: bool = True


def _girl(*tags: str, ear: bool = True, both_eyes: bool = True, brows: bool = True) -> Hair:
    return Hair("1girl", tags, ear, both_eyes, brows)


def _boy(*tags: str, ear: bool = True, both_eyes: bool = True, brows: bool = True) -> Hair:
    return Hair("1boy", tags, ear, both_eyes, brows)


HAIR: dict[str, Hair] = {
    "long01": _girl("medium_hair", "bob_cut", ear=False, brows=False),
    "long05": _girl("long_hair", "swept_bangs", ear=False, brows=False),
    "long06": _girl("very_long_hair", "wavy_hair", ear=False),
    "long07": _girl("long_hair", "blunt_bangs", brows=False),
    "long08": _girl("long_hair", "blunt_bangs", "head_wreath", brows=False),
    "long09": _girl("long_hair", "wavy_hair"),
    "long11": _girl("single_hair_bun", "blunt_bangs"),
    "long12": _girl("medium_hair", "half_updo"),
    "long14": _girl("low_twintails", "swept_bangs"),
    "long15": _girl("twintails", "blunt_bangs", brows=False),
    "long16": _girl("long_hair", "braid"),
    "long18": _girl("medium_hair", "wavy_hair", "hair_flower"),
    "long19": _girl("long_hair", "ponytail"),
    "long20": _girl("long_hair", "hair_over_one_eye", ear=False, both_eyes=False, brows=False),
    "long21": _girl("short_hair", "blunt_bangs", brows=False),
    "long22": _girl("big_hair", "curly_hair", ear=False),
    "long23": _girl("double_bun"),
    "long24": _girl("medium_hair", "wavy_hair", ear=False, both_eyes=False),
    "long25": _girl("short_hair", "swept_bangs", both_eyes=False, brows=False),
    "short01": _boy("short_hair", brows=False),
    "short02": _boy("short_hair", "ahoge", brows=False),
    "short03": _boy("short_hair", "curly_hair"),
    "short04": _boy("very_short_hair"),
    "short05": _boy("short_hair", "topknot"),
    "short06": _boy("short_hair", "hair_between_eyes", both_eyes=False, brows=False),
    "short07": _boy("short_hair", "wavy_hair"),
    "short15": _boy("mohawk"),
    "short16": _boy("short_hair", "spiked_hair", brows=False),
    "short18": _boy("short_hair", "dreadlocks"),
}

HAIR_COLORS: dict[str, str] = {
    "black": "#26262e",
    "brown": "#6b3a1a",
    "blonde": "#f4d24a",
    "red": "#d62a2a",
    "pink": "#f78fc2",
    "purple": "#8b4fd2",
    "blue": "#3567e0",
    "green": "#38a648",
    "aqua": "#4ad2cc",
    "grey": "#8d929c",
}
EYE_COLORS: dict[str, str] = {
    "blue": "#2a62c9",
    "green": "#1f9d3a",
    "red": "#d21f1f",
    "brown": "#6b3d14",
    "purple": "#8a3fd0",
}
BACKGROUNDS: dict[str, str] = {
    "white": "#ffffff",
    "blue": "#c4dafa",
    "pink": "#fbcfe0",
    "yellow": "#fdf3b0",
    "green": "#c9efc6",
    "purple": "#dccdf4",
    "grey": "#d3d6da",
}


@dataclass(frozen=True)
class Skin:
    """A skin tone and its tags; the light tone is Danbooru's unmarked default and has none."""

    hex: str
    tags: tuple[str, ...] = ()


SKINS: dict[str, Skin] = {
    "pale": Skin("#fff0e6", ("pale_skin",)),
    "light": Skin("#f3c9a0"),
    "tan": Skin("#cf9058", ("tan",)),
    "dark": Skin("#8d5632", ("dark_skin",)),
}


@dataclass(frozen=True)
class Part:
    """A face part: the style's variant (None: left out), its tags, and how often generic posts show it."""

    variant: str | None
    tags: tuple[str, ...]
    weight: int


EYES: dict[str, Part] = {
    "open": Part("variant24", (), 40),
    "sparkling": Part("variant23", ("sparkling_eyes",), 15),
    "half_closed": Part("variant18", ("half-closed_eyes",), 15),
    "closed": Part("variant19", ("closed_eyes",), 15),
    "wink": Part("variant22", ("one_eye_closed",), 15),
}
MOUTHS: dict[str, Part] = {
    "laugh": Part("variant26", ("open_mouth", "smile"), 20),
    "smile": Part("variant02", ("closed_mouth", "smile"), 20),
    "frown": Part("variant04", ("closed_mouth", "frown"), 10),
    "grin": Part("variant23", ("grin",), 15),
    "tongue": Part("variant16", ("tongue_out",), 10),
    "teeth": Part("variant11", ("clenched_teeth",), 10),
    "shout": Part("variant15", ("open_mouth", "shouting"), 10),
    "surprise": Part("variant03", ("open_mouth", ":o"), 5),
    "lipstick": Part("variant06", ("closed_mouth", "red_lips"), 8),
}
BROWS: dict[str, Part] = {
    "plain": Part("variant10", (), 80),
    "angry": Part("variant02", ("v-shaped_eyebrows",), 20),
}
EYEWEAR: dict[str, Part] = {
    "none": Part(None, (), 66),
    "glasses": Part("variant02", ("glasses",), 14),
    "red_glasses": Part("variant02", ("glasses", "red-framed_eyewear"), 8),
    "sunglasses": Part("variant01", ("sunglasses",), 12),
}
EYEWEAR_COLORS: dict[str, str] = {"glasses": "#000000", "red_glasses": "#e02020", "sunglasses": "#000000"}
DETAILS: dict[str, Part] = {
    "none": Part(None, (), 74),
    "blush": Part("blush", ("blush",), 16),
    "mustache": Part("mustache", ("facial_hair", "mustache"), 10),
}
EARRING_VARIANT = "variant02"
EARRING_PERCENT = 20
