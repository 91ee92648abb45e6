import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training.attributes import VALUES, Match, format_table, match_table, shows, wanted, wilson
from training.attributes_palette import oklab, read_colors
from training.dataset.plan import Plan
from training.dataset.render import render
from training.dataset.tables import SKINS

PLAN = Plan()


def test_a_complete_prompt_demands_absence_too():
    tags = ["1girl", "solo", "red_hair", "long_hair", "blunt_bangs", "smile", "closed_mouth", "white_background"]
    assert wanted(tags) == {
        "hair_color": "red_hair",
        "hair_style": "blunt_bangs long_hair",
        "eyewear": "none",
        "skin": "none",
        "background": "white_background",
        "mouth": "closed_mouth smile",
        "eyes": "none",
    }


def test_a_partial_prompt_demands_what_it_names_in_either_spelling():
    assert wanted(["red hair", "half-closed eyes", "blue eyes"], complete=False) == {
        "hair_color": "red_hair",
        "eyes": "half-closed_eyes",
        "eye_color": "blue_eyes",
    }


def test_what_sunglasses_hide_is_not_demanded():
    demand = wanted(["sunglasses", "closed_eyes", "blue_eyes", "tan"])
    assert demand == {"eyewear": "sunglasses", "skin": "tan"}


def test_every_scene_demands_known_values():
    for number in range(1, len(PLAN) + 1, 5):
        for attribute, value in wanted(PLAN.scene(number).general_tags()).items():
            assert value in VALUES[attribute]


@pytest.mark.parametrize(
    ("value", "seen", "expected"),
    [
        ("smile", "closed_mouth smile", True),
        ("closed_mouth smile", "smile open_mouth", False),
        ("glasses", "glasses red-framed_eyewear", True),
        ("none", "glasses", False),
        ("none", "none", True),
        ("glasses", "none", False),
    ],
)
def test_a_demand_is_met_when_all_its_tags_are_seen(value, seen, expected):
    assert shows(value, seen) is expected


def test_wilson_interval_by_hand():
    # z = 2, 8 of 10: centre (0.8 + 0.2) / 1.4 = 5/7, half width 2 sqrt(0.016 + 0.01) / 1.4.
    half = 2 * math.sqrt(0.026) / 1.4
    assert wilson(8, 10, z=2) == pytest.approx((5 / 7 - half, 5 / 7 + half))


def test_wilson_interval_stays_inside_0_and_1():
    assert wilson(0, 5)[0] == 0
    assert wilson(5, 5)[1] == 1
    with pytest.raises(ValueError, match="at least one trial"):
        wilson(0, 0)


def test_match_table_counts_only_what_was_demanded():
    demands = [{"hair_color": "red_hair", "skin": "tan"}, {"hair_color": "blue_hair"}]
    seen = [
        {"hair_color": "red_hair", "skin": "none", "mouth": "grin", "palette_hair_color": "pink_hair"},
        {"hair_color": "blue_hair", "skin": "none", "mouth": "grin", "palette_hair_color": "blue_hair"},
    ]
    assert match_table(demands, seen) == [
        Match("hair_color", 2, 2),
        Match("skin", 0, 1),
        Match("palette_hair_color", 1, 2),
    ]
    assert "palette_hair_color    0.500" in format_table(match_table(demands, seen))
    assert match_table([], []) == []


def test_match_table_refuses_sequences_of_different_length():
    with pytest.raises(ValueError, match="argument 2 is"):
        match_table([{}], [])


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        # Values published with the colour space's definition (Ottosson 2020) and its sRGB reference code.
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_known_colours(rgb, expected):
    assert oklab(rgb) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("radius", [0, 1])
def test_colours_read_by_rule_are_right_on_renders(radius):
    right = {"hair_color": 0, "background": 0, "skin": 0}
    scenes = [PLAN.scene(number) for number in range(1, len(PLAN) + 1, 61)]
    for scene in scenes:
        found = read_colors(render(scene).filter(ImageFilter.GaussianBlur(radius)))
        right["hair_color"] += found["hair_color"] == scene.identity.hair_color
        right["background"] += found["background"] == scene.background
        right["skin"] += found["skin"] == scene.identity.skin
    assert right["hair_color"] / len(scenes) > 0.98
    assert right["background"] == len(scenes)
    assert right["skin"] / len(scenes) > 0.9


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (120, 120, 120)])
def test_the_rule_answers_even_for_a_blank_picture(color):
    found = read_colors(Image.new("RGB", (32, 48), color))
    assert found["skin"] in SKINS


def test_the_rule_reads_noise_without_failing():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert set(read_colors(Image.fromarray(noise))) == {"hair_color", "background", "skin"}
