"""The encoder that comes with the project, on characters drawn for the test: oracles whose score is known."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import CCIPEncoder, CheckpointScore, Key, Suite, SuiteCharacter, compare, score
from rating.ccip.encoder import DEFAULT
from training.dataset.render import render
from training.dataset.scenes import Identity, random_identity, random_scene

CHARACTERS, REFERENCES, SEEDS = 12, 5, 10


@pytest.fixture(scope="module")
def encoder() -> CCIPEncoder:
    return CCIPEncoder.default()


@pytest.fixture(scope="module")
def identities() -> list[Identity]:
    rng, found = random.Random(7), {}
    while len(found) < CHARACTERS:
        identity = random_identity(rng)
        found.setdefault(identity.look, identity)
    return list(found.values())


@pytest.fixture(scope="module")
def drawn(identities: list[Identity]) -> list[list[Image.Image]]:
    """Of each character its references, then its images."""
    rng = random.Random(8)
    return [[render(random_scene(rng, identity), 96) for _ in range(REFERENCES + SEEDS)] for identity in identities]


@pytest.fixture(scope="module")
def suite(drawn: list[list[Image.Image]]) -> Suite:
    characters = tuple(SuiteCharacter(f"c{at:02}", tuple(own[:REFERENCES])) for at, own in enumerate(drawn))
    return Suite(characters, {"portrait": "1girl, {character}"}, tuple(range(SEEDS)))


def images(suite: Suite, drawn: list[list[Image.Image]], wrong: int) -> dict[Key, Image.Image]:
    """`wrong` of a hundred show the next character."""
    keys = suite.keys()
    changed = {keys[at] for at in np.random.default_rng(0).permutation(len(keys))[: len(keys) * wrong // 100]}
    shown = {key: (int(key.character[1:]) + (key in changed)) % CHARACTERS for key in keys}
    return {key: drawn[character][REFERENCES + key.seed] for key, character in shown.items()}


@pytest.fixture(scope="module")
def ladder(encoder: CCIPEncoder, suite: Suite, drawn: list[list[Image.Image]]) -> list[CheckpointScore]:
    """Checkpoints that draw 0, 10, 25, 50 and 100 % of the images wrong."""
    return [
        score(encoder, suite, images(suite, drawn, wrong), checkpoint=f"{wrong} % wrong")
        for wrong in (0, 10, 25, 50, 100)
    ]


def test_it_keeps_the_contract_and_says_where_it_holds(encoder: CCIPEncoder) -> None:
    assert encoder.check().cosine
    assert (DEFAULT / "manifest.json").exists()
    assert sum(path.stat().st_size for path in DEFAULT.glob("*.onnx")) <= 3 * 2**20
    assert "not comparable with CCIP" in encoder.notice
    assert {"f1_score", "threshold_fpr1", "threshold_low", "threshold_high", "positives_rate"} <= set(encoder.metrics)


def test_the_more_images_are_wrong_the_worse_the_score(ladder: list[CheckpointScore]) -> None:
    differences = [one.difference.value for one in ladder]
    rates = [one.same_rate.value for one in ladder]
    top1 = [one.top1 for one in ladder]
    assert differences == sorted(set(differences))
    assert rates == sorted(set(rates), reverse=True)
    assert top1 == sorted(set(top1), reverse=True)
    first, *rest = (one for one in compare(ladder) if one.measure == "difference" and one.b == "100 % wrong")
    assert {first.verdict, *(one.verdict for one in rest)} == {"A"}


def test_right_images_are_near_the_ceiling_and_wrong_ones_at_the_floor(ladder: list[CheckpointScore]) -> None:
    right, wrong = ladder[0], ladder[-1]
    assert right.difference.value == pytest.approx(right.reference_difference, rel=0.25)
    assert wrong.difference.value == pytest.approx(wrong.floor_difference, rel=0.25)
    assert right.top1 > 0.8
    assert wrong.same_rate.value < 0.05


def test_references_score_as_their_ceiling(encoder: CCIPEncoder, suite: Suite, drawn: list[list[Image.Image]]) -> None:
    few = Suite(suite.characters, suite.prompts, tuple(range(REFERENCES)))
    owed = few.keys()
    made = score(encoder, few, {key: drawn[int(key.character[1:])][key.seed] for key in owed}, checkpoint="references")
    assert made.difference.value == pytest.approx(made.reference_difference, abs=1e-6)
    assert made.same_rate.value == pytest.approx(made.reference_same_rate, abs=1e-6)
    assert {leak.key for leak in made.leaks} == set(owed)


def test_an_image_scores_the_same_from_a_file(
    encoder: CCIPEncoder, drawn: list[list[Image.Image]], tmp_path: Path
) -> None:
    drawn[0][0].save(tmp_path / "image.png")
    made = encoder.embed([tmp_path / "image.png", drawn[0][0]])
    np.testing.assert_array_equal(made.vectors[0], made.vectors[1])
