"""Wrong values are named."""

import pytest

from training.caption_config import CaptionConfig, Level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": (Level(0.8, 0, 1), Level(0.3, 0, 1))}, "levels must not add up"),
        ({"text_rate": 0.7, "text_only_rate": 0.4}, "must not add up"),
        ({"level_select": "middle"}, "level_select must be one of random, head"),
        ({"copyright": "keep"}, "copyright must be one of"),
        ({"register_length": (3, 8)}, "register_length must be two numbers from 4"),
        ({"register_count": (2, 1)}, "register_count must be two numbers"),
        ({"paraphrases": (("1girl",),)}, "at least one other form"),
        ({"year_bounds": (2017, 2019, 2020)}, "year_bounds must be four rising years"),
        ({"year_bounds": (2017, 2019, 2019, 2020)}, "year_bounds must be four rising years"),
        ({"space_rate": 1.5}, "space_rate must be between 0 and 1"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        CaptionConfig(**change)


def test_a_level_checks_its_numbers():
    with pytest.raises(ValueError, match="a level needs rate and share from 0 to 1"):
        Level(1.2, 0, 1)
