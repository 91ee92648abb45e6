"""The score of a checkpoint: by hand on small suites, and against oracles whose score is known."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import (
    CCIPEncoder,
    CheckpointScore,
    ImageError,
    ImageSource,
    Key,
    MissingFileError,
    ReportError,
    Suite,
    SuiteCharacter,
    SuiteError,
    compare,
    read_score,
    score,
    write_score,
)
from tests.rating.ccip.conftest import portrait

CHARACTERS, REFERENCES = 6, 4
PROMPTS = {"portrait": "1girl, {character}, portrait", "full body": "1girl, {character}, full body"}
SEEDS = (1, 2)


def references(character: int) -> tuple[Image.Image, ...]:
    return tuple(portrait(character, 100 + number) for number in range(REFERENCES))


def name_of(character: int) -> str:
    return f"character {character}"


@pytest.fixture(scope="module")
def suite() -> Suite:
    characters = tuple(SuiteCharacter(name_of(at), references(at)) for at in range(CHARACTERS))
    return Suite(characters, PROMPTS, SEEDS, {"sampler": "euler_a", "steps": 28})


@pytest.fixture(scope="module")
def encoder(folder: Path) -> CCIPEncoder:
    """One for all tests here: it keeps what it has embedded."""
    return CCIPEncoder.from_dir(folder)


def rendered(suite: Suite, *, wrong: float = 0.0, offset: int = 0) -> dict[Key, Image.Image]:
    """Images of a checkpoint; of each character the first of every ten show another, up to the share of `wrong`."""
    images = {}
    for at, key in enumerate(suite.keys()):
        character = int(key.character.split()[1])
        number = at % (len(PROMPTS) * len(SEEDS))
        shown = (character + 1) % CHARACTERS if number < wrong * len(PROMPTS) * len(SEEDS) else character
        images[key] = portrait(shown, offset + number)
    return images


def scored(encoder: CCIPEncoder, suite: Suite, images: Mapping[Key, ImageSource], **options: object) -> CheckpointScore:
    return score(encoder, suite, images, checkpoint="epoch-1", **options)


@pytest.fixture(scope="module")
def right(encoder: CCIPEncoder, suite: Suite) -> CheckpointScore:
    return scored(encoder, suite, rendered(suite))


def test_every_number_is_what_the_definition_says(encoder: CCIPEncoder, suite: Suite, right: CheckpointScore) -> None:
    """Second implementation: loops over images, references and characters."""
    vectors = {
        character: [row / np.linalg.norm(row) for row in encoder.embed(references(character)).vectors.astype(float)]
        for character in range(CHARACTERS)
    }

    def differences(row: np.ndarray, others: list[np.ndarray]) -> list[float]:
        return [(1 - float(row @ other)) / 2 for other in others]

    by_character: dict[int, list[tuple[float, float, float, bool]]] = {at: [] for at in range(CHARACTERS)}
    for key, image in rendered(suite).items():
        own = int(key.character.split()[1])
        row = encoder.embed([image]).vectors[0].astype(float)
        row /= np.linalg.norm(row)
        pairs = differences(row, vectors[own])
        means = {at: np.mean(differences(row, vectors[at])) for at in range(CHARACTERS)}
        rate = np.mean([pair <= encoder.threshold for pair in pairs])
        by_character[own].append((np.mean(pairs), rate, min(pairs), min(means, key=means.__getitem__) == own))
    of_each = np.array([np.mean(by_character[at], axis=0) for at in range(CHARACTERS)])
    made = [(c.difference, c.same_rate, c.nearest, c.top1) for c in right.characters]
    np.testing.assert_allclose(made, of_each, atol=1e-6)
    over_all = (right.difference.value, right.same_rate.value, right.nearest, right.top1)
    np.testing.assert_allclose(over_all, of_each.mean(axis=0), atol=1e-6)
    for at, character in enumerate(right.characters):
        alone = [differences(row, vectors[at][:n] + vectors[at][n + 1 :]) for n, row in enumerate(vectors[at])]
        others = [differences(row, vectors[at]) for other in range(CHARACTERS) if other != at for row in vectors[other]]
        assert character.reference_difference == pytest.approx(np.mean(alone), abs=1e-6)
        assert character.reference_same_rate == pytest.approx(np.mean(np.array(alone) <= encoder.threshold))
        assert character.floor_difference == pytest.approx(np.mean(others), abs=1e-6)
        assert character.floor_same_rate == pytest.approx(np.mean(np.array(others) <= encoder.threshold))
        assert character.same_ratio == pytest.approx(character.same_rate / character.reference_same_rate)


def test_a_score_says_what_it_was_made_with(right: CheckpointScore, encoder: CCIPEncoder, suite: Suite) -> None:
    assert (right.encoder, right.encoder_name, right.suite) == (encoder.identity, "tiny", suite.hash)
    assert (right.threshold, right.threshold_source, right.difference.method) == (0.1, "metrics.json", "t")
    assert right.complete
    assert len(right.images) == CHARACTERS * len(PROMPTS) * len(SEEDS)
    assert right.difference.low < right.difference.value < right.difference.high


def test_another_threshold_is_recorded_and_changes_the_rate_alone(
    encoder: CCIPEncoder, suite: Suite, right: CheckpointScore
) -> None:
    strict = scored(encoder, suite, rendered(suite), threshold=0.05)
    assert (strict.threshold, strict.threshold_source) == (0.05, "given")
    assert strict.difference == right.difference
    assert strict.same_rate.value < right.same_rate.value
    with pytest.raises(SuiteError, match="0 to 1"):
        scored(encoder, suite, rendered(suite), threshold=1.2)


def test_neither_order_nor_repetition_changes_a_number(
    encoder: CCIPEncoder, suite: Suite, right: CheckpointScore
) -> None:
    images = rendered(suite)
    shuffled = dict(sorted(images.items(), key=lambda item: hash(item[0].seed * 7919 + len(item[0].prompt))))
    assert scored(encoder, suite, shuffled) == right
    turned = replace(suite, characters=suite.characters[::-1], seeds=SEEDS[::-1])
    again = scored(encoder, turned, images)
    assert again.suite == right.suite
    assert sorted(again.images, key=lambda one: one.key) == sorted(right.images, key=lambda one: one.key)
    for name in ("difference", "same_rate", "nearest", "top1", "same_ratio", "floor_difference"):
        assert getattr(again, name) == getattr(right, name)


class TestOracles:
    def test_a_checkpoint_twice_differs_by_nothing(self, right: CheckpointScore) -> None:
        for one in compare([right, replace(right, checkpoint="again")]):
            assert one.value == 0
            assert one.low <= 0 <= one.high
            assert (one.p, one.verdict) == (1.0, "undecided")

    def test_references_score_as_their_ceiling_and_are_reported(self, encoder: CCIPEncoder, suite: Suite) -> None:
        owed = iter(suite.keys())
        images = {next(owed): image for at in range(CHARACTERS) for image in references(at)}
        made = scored(encoder, suite, images)
        assert made.difference.value == pytest.approx(made.reference_difference, abs=1e-6)
        assert made.same_rate.value == pytest.approx(made.reference_same_rate, abs=1e-6)
        assert made.same_ratio == pytest.approx(1.0)
        assert {leak.key for leak in made.leaks} == set(suite.keys())

    def test_wrong_characters_are_hardly_ever_the_same(self, encoder: CCIPEncoder, suite: Suite) -> None:
        made = scored(encoder, suite, rendered(suite, wrong=1.0))
        assert made.same_rate.value < 0.05
        assert made.top1 == 0
        assert made.difference.value > 3 * made.reference_difference

    def test_more_wrong_images_are_worse(self, encoder: CCIPEncoder) -> None:
        seeds = tuple(range(10))
        characters = tuple(SuiteCharacter(name_of(at), references(at)) for at in range(CHARACTERS))
        ladder = Suite(characters, {"portrait": "…"}, seeds)

        def images(wrong: int) -> dict[Key, Image.Image]:
            """`wrong` of a hundred images are another character's: of 60, those of the lowest rank."""
            keys = ladder.keys()
            changed = {keys[at] for at in np.random.default_rng(0).permutation(len(keys))[: len(keys) * wrong // 100]}
            return {
                key: portrait((int(key.character.split()[1]) + (key in changed)) % CHARACTERS, key.seed) for key in keys
            }

        steps = [scored(encoder, ladder, images(wrong)) for wrong in (0, 10, 25, 50)]
        differences = [one.difference.value for one in steps]
        rates = [one.same_rate.value for one in steps]
        assert differences == sorted(differences)
        assert rates == sorted(rates, reverse=True)
        assert len(set(differences)) == len(set(rates)) == 4
        assert [one.top1 for one in steps] == sorted((one.top1 for one in steps), reverse=True)


class TestMissing:
    def test_images_make_the_run_incomplete(self, encoder: CCIPEncoder, suite: Suite, tmp_path: Path) -> None:
        images: dict[Key, ImageSource] = dict(rendered(suite))
        absent, broken = suite.keys()[1], suite.keys()[9]
        del images[absent]
        (tmp_path / "broken.png").write_bytes(b"broken")
        images[broken] = tmp_path / "broken.png"
        made = scored(encoder, suite, images)
        assert not made.complete
        assert [one.key for one in made.missing] == [absent, broken]
        assert made.missing[0].reason == "not there"
        assert "broken.png is no image" in made.missing[1].reason
        assert [one.missing for one in made.characters] == [1, 0, 1, 0, 0, 0]

    def test_a_character_without_images_takes_no_part(
        self, encoder: CCIPEncoder, suite: Suite, right: CheckpointScore
    ) -> None:
        gone = name_of(2)
        made = scored(encoder, suite, {key: image for key, image in rendered(suite).items() if key.character != gone})
        rest = [one for one in right.characters if one.character != gone]
        assert made.difference.value == pytest.approx(np.mean([one.difference for one in rest]))
        assert made.reference_difference == pytest.approx(np.mean([one.reference_difference for one in rest]))
        assert made.characters[2].difference is None
        assert made.characters[2].reference_difference == right.characters[2].reference_difference

    def test_a_character_with_few_images_counts_as_much_as_the_others(self, encoder: CCIPEncoder, suite: Suite) -> None:
        """One bad image of one character, four good ones of each other: one in six, not one in twenty-one."""
        owed = suite.keys()
        images = {key: image for key, image in rendered(suite).items() if key not in owed[1:4]}
        made = scored(encoder, suite, images | {owed[0]: portrait(1, 0)})
        few, *others = made.characters
        assert (few.images, few.missing, few.top1) == (1, 3, 0)
        assert {one.images for one in others} == {4}
        for name in ("difference", "same_rate"):
            expected = (getattr(few, name) + sum(getattr(one, name) for one in others)) / 6
            assert getattr(made, name).value == pytest.approx(expected)
        assert made.top1 == pytest.approx(5 / 6)

    def test_pairs_leave_a_key_out_of_both_and_say_so(
        self, encoder: CCIPEncoder, suite: Suite, right: CheckpointScore
    ) -> None:
        images = rendered(suite, offset=50)
        whole = replace(scored(encoder, suite, images), checkpoint="whole")
        dropped = suite.keys()[3]
        less = scored(encoder, suite, {key: image for key, image in images.items() if key != dropped})
        without = replace(right, images=tuple(one for one in right.images if one.key != dropped))
        for one, other in zip(
            compare([right, replace(less, checkpoint="less")]),
            compare([without, replace(whole, checkpoint="less", images=less.images)]),
            strict=True,
        ):
            assert one.dropped == (dropped,)
            assert one.images == len(suite.keys()) - 1
            assert (one.value, one.low, one.high) == (other.value, other.low, other.high)

    def test_all_images_are_too_many(self, encoder: CCIPEncoder, suite: Suite) -> None:
        with pytest.raises(SuiteError, match="none of 24 images"):
            scored(encoder, suite, {})

    def test_references_may_not_be(self, encoder: CCIPEncoder, suite: Suite, tmp_path: Path) -> None:
        (tmp_path / "broken.png").write_bytes(b"broken")
        characters = (SuiteCharacter("one", (tmp_path / "broken.png", tmp_path / "gone.png")),)
        with pytest.raises(ImageError, match=r"gone\.png"):
            scored(encoder, Suite(characters, PROMPTS, SEEDS), {})

    def test_images_that_the_suite_does_not_ask_for_are_refused(self, encoder: CCIPEncoder, suite: Suite) -> None:
        with pytest.raises(SuiteError, match="'nobody', 'portrait', 1"):
            scored(encoder, suite, {Key("nobody", "portrait", 1): portrait(0, 0)})


class TestLeaks:
    def test_a_reference_among_the_images_is_reported_and_not_held_against_itself(
        self, encoder: CCIPEncoder, suite: Suite
    ) -> None:
        copied = suite.keys()[0]
        made = scored(encoder, suite, {**rendered(suite), copied: references(0)[1]})
        assert [(leak.key, leak.difference) for leak in made.leaks] == [(copied, 0.0)]
        image = next(one for one in made.images if one.key == copied)
        own = encoder.embed(references(0))
        others = encoder.differences(own)[1, [0, 2, 3]]
        assert image.difference == pytest.approx(others.mean(), abs=1e-6)
        assert image.nearest == pytest.approx(others.min(), abs=1e-6)

    def test_as_good_as_a_reference_is_one(self, encoder: CCIPEncoder, suite: Suite) -> None:
        touched = references(3)[0].copy()
        touched.putpixel((0, 0), (0, 0, 0))
        made = scored(encoder, suite, {**rendered(suite), suite.keys()[-1]: touched})
        (leak,) = made.leaks
        assert (leak.key, 0 < leak.difference < 1e-4) == (suite.keys()[-1], True)

    def test_references_that_stand_twice_are_reported(self, encoder: CCIPEncoder) -> None:
        one, two, three = (portrait(0, number) for number in range(3))
        characters = (SuiteCharacter("a", (one, two, one)), SuiteCharacter("b", (two, three)))
        suite = Suite(characters, {"p": ""}, (1,))
        made = scored(encoder, suite, {Key("a", "p", 1): portrait(0, 9), Key("b", "p", 1): portrait(0, 8)})
        assert len(made.duplicates) == 2
        assert all(pair.difference <= 1e-6 for pair in made.duplicates)

    def test_an_image_that_is_all_references_cannot_be_scored(self, encoder: CCIPEncoder) -> None:
        one = portrait(0, 0)
        suite = Suite((SuiteCharacter("a", (one, one)),), {"p": "", "q": ""}, (1,))
        made = scored(encoder, suite, {Key("a", "p", 1): one, Key("a", "q", 1): portrait(0, 9)})
        assert [(missing.key.prompt, missing.reason) for missing in made.missing] == [
            ("p", "each reference of its character is this image")
        ]


def test_a_single_character_has_neither_floor_nor_interval(encoder: CCIPEncoder) -> None:
    suite = Suite((SuiteCharacter("a", references(0)),), {"p": ""}, (1, 2))
    made = scored(encoder, suite, {Key("a", "p", seed): portrait(0, seed) for seed in (1, 2)})
    assert (made.top1, made.floor_difference, made.floor_same_rate) == (None, None, None)
    assert (made.difference.low, made.difference.high, made.difference.method) == (None, None, "none")
    assert json.dumps(made.to_json(), allow_nan=False)


def test_the_worst_images_come_first(right: CheckpointScore) -> None:
    worst = right.worst(name_of(1), 3)
    assert [one.key.character for one in worst] == [name_of(1)] * 3
    assert [one.difference for one in worst] == sorted((one.difference for one in worst), reverse=True)


def test_a_score_comes_back_from_its_file(right: CheckpointScore, tmp_path: Path) -> None:
    write_score(right, tmp_path / "score.json")
    assert read_score(tmp_path / "score.json") == right
    assert [path.name for path in tmp_path.iterdir()] == ["score.json"]


@pytest.mark.parametrize("value", ["much", None, float("nan"), True])
def test_a_score_whose_numbers_are_none_is_damaged(right: CheckpointScore, value: object, tmp_path: Path) -> None:
    content = right.to_json()
    content["images"][0]["difference"] = value
    (tmp_path / "score.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match=r"score\.json: a damaged score .* for a number from 0 to 1"):
        read_score(tmp_path / "score.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "ccip-score/1"}', '{"format": "ccip-score/9"}'])
def test_what_is_no_score_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text(content)
    with pytest.raises(ReportError, match=r"score\.json"):
        read_score(tmp_path / "score.json")
    with pytest.raises(MissingFileError, match=r"gone\.json is not there"):
        read_score(tmp_path / "gone.json")
    with pytest.raises(ReportError, match="cannot be read: Is a directory; give what"):
        read_score(tmp_path)
