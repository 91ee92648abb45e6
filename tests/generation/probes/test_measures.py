"""Every number is arithmetic by hand on pictures of a few flat colours."""

import math

import numpy as np
import pytest

from generation.probes.colour import lab, luminance, of_hex
from generation.probes.measures import (
    MEASURES,
    colour_histogram,
    detail,
    diversity,
    hole,
    levels,
    rim,
    separation,
    shadow_bits,
    thumbnails,
    two_groups,
)
from generation.probes.probe import Case, names

BLACK, WHITE, RED, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)
CASE = Case("one", {})


def flat(*colours, side=4):
    """One picture of each colour, (S, side, side, 3)."""
    return np.stack([np.full((side, side, 3), colour, dtype=np.uint8) for colour in colours])


def columns(*colours, height=4):
    """A picture with one column of each colour, (height, n, 3)."""
    return np.repeat(np.array(colours, dtype=np.uint8)[None], height, axis=0)


def measured(name, case=CASE, **images):
    return MEASURES[name](images, case)


def test_every_probe_has_its_measure():
    assert set(MEASURES) == set(names())


def test_luminance_and_lab_of_known_colours():
    assert luminance(np.array([RED, WHITE], dtype=np.uint8)) == pytest.approx([0.2126 * 255, 255])
    # Lindbloom's calculator, sRGB under D65.
    expected = [(100, 0, 0), (53.24, 80.09, 67.20), (32.30, 79.19, -107.86), (0, 0, 0)]
    assert lab(np.array([WHITE, RED, BLUE, BLACK], dtype=np.uint8)) == pytest.approx(np.array(expected), abs=0.02)
    assert of_hex("#ff0000").tolist() == [255, 0, 0]
    with pytest.raises(ValueError, match="write #rrggbb"):
        of_hex("red")


def test_brightness_follows_the_prompt_and_the_dark_holds_a_silhouette():
    """Dark: half of the columns at 0, half at 20. Bright: 250 all over."""
    dark = columns(BLACK, BLACK, (20, 20, 20), (20, 20, 20))[None]
    found = measured("dynamic-range", dark=dark, bright=flat((250, 250, 250)))
    assert found == pytest.approx(
        {
            "span": 240 / 255,
            "dark_mean": 10,
            "bright_mean": 250,
            "shadow_share": 1,
            "shadow_bits": 1,  # two levels equally often
            "silhouette": 1,  # both groups without any spread
        }
    )


def test_a_silhouette_by_hand():
    """Levels 0, 10, 100, 110: variance 2525; best split in the middle: means 5 and 105, between them 50^2 = 2500."""
    luma = np.array([0.0, 10, 100, 110])
    assert two_groups(luma) == pytest.approx(2500 / 2525)
    assert two_groups(luma * 2) == pytest.approx(2500 / 2525), "brightening changes nothing"
    assert two_groups(np.full(4, 7.0)) == 0
    assert shadow_bits(np.array([0.0, 10, 20, 30])) == 2
    assert shadow_bits(np.array([64.0, 200])) == 0, "nothing is dark"
    assert levels(np.array([19.9999999, 20.0000001])).tolist() == [20, 20]


def test_two_colours_apart_mixed_and_absent():
    colours = ("#ff0000", "#0000ff")
    assert separation(columns(RED, RED, BLUE, BLUE), colours) == (1, True)
    assert separation(columns(BLUE, RED), colours) == (1, True), "either side"
    # Of four pairs the red column is to the left in three: U = 0.75.
    assert separation(columns(RED, BLUE, RED, BLUE), colours) == (0.5, True)
    assert separation(columns(RED, WHITE, RED, WHITE), colours) == (0, False)
    stacked = np.concatenate([columns(RED, RED), columns(BLUE, BLUE)])
    assert separation(stacked, colours) == (0, True), "one above the other is not side by side"


def test_separation_of_both_variants():
    apart = np.stack([columns(RED, RED, BLUE, BLUE), columns(RED, RED, RED, RED)])
    combined = np.stack([columns(RED, BLUE, RED, BLUE)] * 2)
    found = measured("multi-character", Case("x", {}, ("#ff0000", "#0000ff")), apart=apart, combined=combined)
    assert found == {
        "separation": 0.5,
        "both_present": 0.5,
        "combined_separation": 0.5,
        "combined_both_present": 1.0,
    }


@pytest.mark.parametrize(
    ("home", "transfer", "home_strength"),
    [
        ((BLACK, WHITE), 1, 1),
        ((WHITE, BLACK), -1, 1),
        ((BLACK, RED), 0.5, 1),  # (white - black) . (red - black) = 1, both of length sqrt 2
        ((RED, RED), 0, 0),
    ],
)
def test_a_lora_that_makes_black_white(home, transfer, home_strength):
    found = measured(
        "lora-transfer", plain=flat(BLACK), adapted=flat(WHITE), home_plain=flat(home[0]), home_adapted=flat(home[1])
    )
    expected = {"transfer": transfer, "strength": 1, "home_strength": home_strength, "pixel_change": 1}
    assert found == pytest.approx(expected)


def test_histograms_are_shares():
    found = colour_histogram(flat(BLACK, WHITE))
    assert (found[0], found[511], found.sum()) == (0.5, 0.5, 1)


def test_detail_and_diversity_by_hand():
    """Stripes of 0 and 255: 12 steps of 255 to the right, 12 of 0 down."""
    stripes = columns(BLACK, WHITE, BLACK, WHITE)[None]
    assert detail(stripes) == pytest.approx(127.5)
    found = measured("prompt-length", short=flat(BLACK, BLACK, WHITE), long=np.repeat(stripes, 3, axis=0))
    assert found == pytest.approx(
        {
            "detail_gain": 127.5,
            "short_detail": 0,
            "long_detail": 127.5,
            "short_diversity": 2 / 3,  # pairs 0, 1, 1
            "long_diversity": 0,
        }
    )
    assert diversity(flat(BLACK)) == 0


def test_thumbnails_are_block_means():
    picture = np.zeros((1, 20, 12, 3), dtype=np.uint8)
    picture[0, :2, :1] = 80  # rows start at 0, 2, 5, ...; columns at 0, 1, 3, ...
    small = thumbnails(picture)
    assert small.shape == (1, 8, 8, 3)
    assert small[0, 0, 0].tolist() == [80, 80, 80]
    assert small.sum() == 3 * 80


def test_a_hole_mended_too_bright():
    """Grey 100 around, 200 inside: L* is 116 cbrt(Y) - 16 with Y = ((v / 255 + .055) / 1.055) ^ 2.4."""
    before = flat((100, 100, 100), side=64)
    after = before.copy()
    after[:, hole(64, 64)] = 200
    light = [116 * math.cbrt(((v / 255 + 0.055) / 1.055) ** 2.4) - 16 for v in (100, 200)]
    found = measured("inpainting", original=before, inpainted=after)
    expected = {"colour_mismatch": light[1] - light[0], "lightness_shift": light[1] - light[0], "seam": 100}
    assert found == pytest.approx({**expected, "saturation_shift": 0}, abs=0.02)
    assert measured("inpainting", original=before, inpainted=before) == dict.fromkeys(found, 0)
    after[:, hole(64, 64)] = RED
    red = measured("inpainting", original=before, inpainted=after)
    assert red["saturation_shift"] == pytest.approx(math.hypot(80.09, 67.20), abs=0.1)


def test_the_hole_and_its_rim():
    assert hole(64, 64).sum() == 32 * 32
    assert rim(64, 64).sum() == 32 * 32 - 28 * 28
    assert rim(8, 16).sum() == 4 * 8 - 2 * 6
    assert not (rim(64, 96) & ~hole(64, 96)).any()


def test_padding_with_and_without_guidance():
    half = columns(BLACK, WHITE)[None]
    found = measured(
        "padding", padded=half, masked=flat(WHITE, side=2)[:, [0, 0, 0, 0]], padded_no_cfg=half, masked_no_cfg=half
    )
    assert found == pytest.approx({"effect": 0.5**0.5, "effect_no_cfg": 0, "amplification": 0.5**0.5})
