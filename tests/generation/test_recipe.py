import dataclasses
import hashlib

import pytest

from generation.recipe import ImageRequest, Recipe


def test_a_recipe_survives_its_dictionary():
    recipe = Recipe(sampler="euler", steps=28, cfg=6.5, width=832, height=1216, negative_prompt="é", batch=2)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_missing_fields_take_the_defaults():
    assert Recipe.from_dict({"steps": 20}) == Recipe(steps=20)


def test_the_hash_is_of_the_canonical_json_and_does_not_care_about_int_or_float():
    text = (
        '{"batch":8,"cfg":2.0,"height":64,"negative_prompt":"é","sampler":"euler_a",'
        '"spacing":"trailing","steps":12,"width":64}'
    )
    assert Recipe(cfg=2, negative_prompt="é").sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_fields_that_joined_later_keep_the_hash_of_older_recipes_and_count_where_they_are_set():
    assert "padding" not in Recipe().to_dict()
    masked = Recipe(padding="masked", long_prompts="chunks")
    assert masked.to_dict()["padding"] == "masked"
    assert Recipe.from_dict(masked.to_dict()) == masked
    assert masked.sha256 != Recipe().sha256


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sampler", "ddim"),
        ("spacing", "linspace"),
        ("padding", "some"),
        ("prompt_syntax", "compel"),
        ("long_prompts", "fold"),
        ("empty_negative", None),
        ("steps", 0),
        ("steps", 151),
        ("steps", 2.5),
        ("steps", True),
        ("cfg", -0.1),
        ("cfg", float("nan")),
        ("cfg", "6"),
        ("width", 65),
        ("width", 4096),
        ("height", 0),
        ("batch", 65),
        ("negative_prompt", None),
        ("negative_prompt", "x" * 1001),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        Recipe.from_dict({field: value})


def test_an_unknown_field_is_refused_by_name():
    with pytest.raises(ValueError, match="'clip_skip' is unknown"):
        Recipe.from_dict({"clip_skip": 2})


def test_a_side_beyond_2048_is_told_to_upscale():
    assert Recipe(width=2048, height=2048).width == 2048
    with pytest.raises(ValueError, match="'height' is 2056, 2048 is the most; render smaller and upscale"):
        Recipe(height=2056)


def test_a_size_more_elongated_than_one_to_ten_is_refused():
    assert Recipe(width=640, height=64).width == 640
    with pytest.raises(ValueError, match="1:10"):
        Recipe(width=648, height=64)


@pytest.mark.parametrize("prompt", ["", " \n\t", "x" * 1001])
def test_an_empty_or_endless_prompt_is_refused(prompt):
    with pytest.raises(ValueError, match="prompt"):
        ImageRequest(prompt, 1)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, None])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        ImageRequest("1girl", seed)
