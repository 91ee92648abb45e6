"""Tags must be true: what a scene's tags say is checked against its pixels."""

import functools
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from training.attributes_palette import read_colors
from training.captions import prompt_text
from training.dataset.characters import CHARACTERS, RESERVED_LOOKS
from training.dataset.plan import Plan
from training.dataset.render import render
from training.dataset.scenes import Identity, Scene
from training.dataset.tables import BACKGROUNDS, BROWS, EYES, EYEWEAR, HAIR, HAIR_COLORS, MOUTHS, SKINS

PLAN = Plan()
SCENES = [PLAN.scene(number) for number in range(1, len(PLAN) + 1, 3)]
PLAIN = Scene(Identity("long23", "blue", "light", "green"), "open", "smile", "plain", "white")


@functools.cache
def pixels(scene):
    return np.asarray(render(scene)).astype(int)


def changed_pixels(one, other):
    """How many of the 64 x 64 pixels differ clearly (by more than 60 of 765)."""
    return int((np.abs(pixels(one) - pixels(other)).sum(axis=2) > 60).sum())


def with_identity(scene, **changes):
    return replace(scene, identity=replace(scene.identity, **changes))


def hex_rgb(code):
    return tuple(int(code[start : start + 2], 16) for start in (1, 3, 5))


@pytest.mark.parametrize("field", ["eyes", "mouth", "brows"])
def test_expressions_with_different_tags_look_different(field):
    table = {"eyes": EYES, "mouth": MOUTHS, "brows": BROWS}[field]
    for one, other in itertools.combinations(table, 2):
        assert changed_pixels(replace(PLAIN, **{field: one}), replace(PLAIN, **{field: other})) >= 10, (one, other)


def test_every_hair_and_eyewear_looks_different():
    for one, other in itertools.combinations(HAIR, 2):
        assert changed_pixels(with_identity(PLAIN, hair=one), with_identity(PLAIN, hair=other)) >= 150, (one, other)
    for one, other in itertools.combinations(EYEWEAR, 2):
        assert changed_pixels(with_identity(PLAIN, eyewear=one), with_identity(PLAIN, eyewear=other)) >= 60


def test_hair_tags_name_one_hair_each():
    tags = [(hair.person, frozenset(hair.tags)) for hair in HAIR.values()]
    assert len(set(tags)) == len(HAIR)


@pytest.mark.parametrize("hair", HAIR)
def test_what_the_table_calls_visible_is_visible_beneath_the_hair(hair):
    scene = with_identity(PLAIN, hair=hair)
    assert (changed_pixels(scene, with_identity(scene, earrings=True)) >= 8) == HAIR[hair].ear
    assert changed_pixels(scene, with_identity(scene, detail="mustache")) >= 20
    if HAIR[hair].brows:
        assert changed_pixels(scene, replace(scene, brows="angry")) >= 55
    if HAIR[hair].both_eyes:
        assert changed_pixels(scene, replace(scene, eyes="wink")) >= 85


@pytest.mark.parametrize("skin", [name for name in SKINS if name != "tan"])
def test_a_blush_shows_on_every_skin_that_gets_one(skin):
    for hair in HAIR:
        scene = with_identity(PLAIN, hair=hair, skin=skin)
        assert changed_pixels(scene, with_identity(scene, detail="blush")) >= 20, hair


def test_no_scene_claims_what_cannot_be_seen():
    for scene in SCENES:
        who, hair = scene.identity, HAIR[scene.identity.hair]
        assert hair.ear or not who.earrings
        assert hair.both_eyes or scene.eyes != "wink"
        assert (hair.brows and who.eyewear == "none") or scene.brows == "plain"
        assert not (who.skin == "tan" and who.detail == "blush")
        assert not (hair.person == "1girl" and who.detail == "mustache")
        tags = set(scene.general_tags())
        if who.eyewear == "sunglasses":
            assert not {tag for tag in tags if tag.endswith("_eyes") and tag != "hair_between_eyes"}
            assert "one_eye_closed" not in tags
        if scene.eyes == "closed":
            assert f"{who.eye_color}_eyes" not in tags


def test_background_tag_is_the_colour_of_the_corner():
    for scene in SCENES[::40]:
        [tag] = [tag for tag in scene.general_tags() if tag.endswith("_background")]
        # The style's outermost pixel row is background: no chosen hair reaches the top left corner.
        assert render(scene).getpixel((0, 0)) == hex_rgb(BACKGROUNDS[tag.removesuffix("_background")])


def test_hair_colour_tag_is_the_colour_that_the_rule_reads():
    chosen = SCENES[::12]
    right = [f"{read_colors(render(scene))['hair_color']}_hair" in scene.general_tags() for scene in chosen]
    assert sum(right) / len(right) > 0.98


def test_colours_are_far_apart():
    for table in (HAIR_COLORS, BACKGROUNDS, {name: skin.hex for name, skin in SKINS.items()}):
        for one, other in itertools.combinations(table.values(), 2):
            assert np.abs(np.subtract(hex_rgb(one), hex_rgb(other))).sum() >= 40, (one, other)


def test_flip_mirrors_the_picture():
    scene = replace(PLAIN, shift=(0, 0))
    turned = np.asarray(render(replace(scene, flip=True))).astype(int)[:, ::-1]
    assert np.abs(turned - np.asarray(render(scene)).astype(int)).mean() < 3


def test_named_characters_differ_in_hair_and_keep_their_identity():
    assert len(CHARACTERS) >= 24
    assert len({identity.hair for identity in CHARACTERS.values()}) == len(CHARACTERS)
    for number in range(PLAN.images + 1, len(PLAN) + 1):
        assert PLAN.scene(number).identity == CHARACTERS[PLAN.character(number)]


def test_named_posts_vary_in_expression_background_and_flip():
    for index in range(len(CHARACTERS)):
        first = PLAN.images + index * PLAN.named + 1
        scenes = [PLAN.scene(number) for number in range(first, first + PLAN.named)]
        assert len({scene.mouth for scene in scenes}) >= 5
        assert len({scene.eyes for scene in scenes}) >= 3
        assert len({scene.background for scene in scenes}) >= 5
        assert {scene.flip for scene in scenes} == {False, True}


def test_no_generic_post_has_a_named_look():
    looks = {PLAN.scene(number).identity.look for number in range(1, PLAN.images + 1)}
    assert not looks & RESERVED_LOOKS
    assert len(looks) > 800


def test_captions_fit_the_tiny_text_encoders():
    for number in range(1, len(PLAN) + 1):
        names = [name for name in [PLAN.character(number)] if name]
        text = prompt_text(PLAN.scene(number).general_tags(), characters=names)
        assert len(re.findall(r"\w+|[^\w\s]+", text)) <= 44, text
