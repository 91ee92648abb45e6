"""Axes with round numbers, bars on the scale that is asked for, and columns of numbers told from words."""

import re

import pytest

from training.page import table
from training.plots import paired_bars, round_steps


@pytest.mark.parametrize(
    ("longest", "about", "expected"),
    [
        (108, 6, [0, 20, 40, 60, 80, 100]),
        (1216, 5, [0, 500, 1000]),
        (3072, 5, [0, 1000, 2000, 3000]),
        (64, 5, [0, 20, 40, 60]),
        (5, 5, [0, 1, 2, 3, 4, 5]),
        (1, 6, [0, 1]),
    ],
)
def test_numbers_along_an_axis_are_round(longest, about, expected):
    assert round_steps(longest, about) == expected


def widths(picture):
    return [float(found) for found in re.findall(r'width="([\d.]+)" height="11.0"', picture)]


def test_bars_on_a_common_scale():
    """With labels of 150 and room for a value of 96 the longest bar has 274 of 520."""
    assert widths(paired_bars([("a", 0.0, 0.5), ("b", 0.0, 0.25)], "t")) == [274, 137]
    assert widths(paired_bars([("a", 0.0, 0.5)], "t", most=1.0)) == [137]


def test_marks_stand_at_their_shares_and_move_the_value_aside():
    picture = paired_bars([("a", 0.0, 0.25), ("b", 0.0, 0.0)], "t", marks=[0.5, 0.0])
    assert re.findall(r'<line x1="([\d.]+)"', picture) == ["424.0"]
    assert '<text x="430.0"' in picture


def test_columns_of_numbers_are_told_from_words():
    found = table(("tag", "posts", "share"), [("1girl", "1,234", "12 %"), ("<b>", "", "0.5 %")])
    assert '<th>tag</th><th class="number">posts</th><th class="number">share</th>' in found
    assert '<td>&lt;b&gt;</td><td class="number"></td>' in found
    assert table(("tag", "posts"), []).count("<th>") == 2
