"""Pictures of a character keep who it is and change everything else."""

import numpy as np
import pytest

from training.ccip.pictures import HEAD, _options, draw_characters, render_cast
from training.dataset.characters import CHARACTERS, RESERVED_LOOKS
from training.dataset.render import avatar_options, compose
from training.dataset.scenes import random_scene
from training.rng import stream


def test_characters_have_looks_of_their_own_and_none_of_the_named_ones():
    first = draw_characters(0, 60)
    second = draw_characters(0, 60, first)
    looks = [identity.look for identity in (*first, *second)]
    assert len(set(looks)) == 120
    assert not set(looks) & RESERVED_LOOKS
    assert draw_characters(0, 60) == first
    assert draw_characters(1, 60) != first


def test_more_characters_than_looks_are_refused():
    with pytest.raises(ValueError, match="do not exist"):
        draw_characters(0, 29 * 10 * 4)


def test_a_picture_follows_from_seed_character_and_number_alone():
    akari, goro = CHARACTERS["akari"], CHARACTERS["goro"]
    cast = render_cast(3, [akari, goro], 2)
    assert cast.pictures.shape == (4, 64, 64, 3)
    assert cast.labels.tolist() == [0, 0, 1, 1]
    alone = render_cast(3, [goro], 3)
    assert np.array_equal(cast.pictures[2:], alone.pictures[:2])
    assert not np.array_equal(cast.pictures, render_cast(4, [akari, goro], 2).pictures)


def test_pictures_of_one_character_share_its_hair_and_nothing_of_the_background():
    """Of 24 pictures of a red-haired girl: red in each; the corners are never of the same colour."""
    pictures = render_cast(0, [CHARACTERS["akari"]], 24).pictures.astype(int)
    corners = {tuple(one[1, 1] // 16) for one in pictures}
    assert len(corners) > 20
    for one in pictures:
        crown = np.median(one[14:24, 24:40].reshape(-1, 3), axis=0)
        assert crown[0] > crown[1] + 40
        assert crown[0] > crown[2] + 40


def test_garments_are_drawn_behind_the_head():
    """The head's place in the drawing is a text that the drawing library could change."""
    svg = compose(avatar_options(random_scene(stream(0, "any"), CHARACTERS["akari"])))
    assert svg.count(HEAD) == 1


def test_headwear_changes_in_one_of_five_pictures():
    aoi = CHARACTERS["aoi"]
    own = _options(stream(0, "headwear", 0), aoi)
    drawn = [_options(stream(0, "headwear", number), aoi) for number in range(400)]
    kept = [one for one in drawn if one.get("glassesVariant") == "variant02" and one["glassesColor"] == "#000000"]
    assert 0.75 < len(kept) / len(drawn) < 0.85
    assert {one["hairColor"] for one in drawn} == {own["hairColor"]}
