"""The committed epochs of the base come out of the character score in the order in which they were trained."""

from pathlib import Path

import pytest
from PIL import Image

from generation.recipe import ImageRequest
from generation.renderer import Renderer
from rating.ccip import CCIPEncoder, CheckpointScore, Key, Suite, SuiteCharacter, compare, score
from training.base_files import unpack_base
from training.dataset.characters import CHARACTERS
from training.dataset.render import render
from training.dataset.scenes import random_scene
from training.rng import stream

pytestmark = [pytest.mark.loop, pytest.mark.timeout(600)]

EPOCHS = ("epoch-01", "epoch-02", "epoch-04", "base")
NAMES = ("akari", "chiyo", "emi", "goro", "haruto", "jiro", "kohaku", "minato", "ren", "yuma")
SEEDS = (1001, 1002)
# The base was never told a name; asked by their tags it can draw the characters, the better the longer it was trained.
PROMPTS = {"by tags": "{tags}, solo, closed mouth, smile, white background"}


def references(name: str) -> tuple[Image.Image, ...]:
    """Six drawings as the data set has them, 64 px."""
    return tuple(render(random_scene(stream(0, "reference", name, number), CHARACTERS[name])) for number in range(6))


def rendered(folder: Path) -> dict[Key, Image.Image]:
    keys = [Key(name, "by tags", seed) for name in NAMES for seed in SEEDS]
    tags = {name: ", ".join(tag.replace("_", " ") for tag in CHARACTERS[name].tags()) for name in NAMES}
    requests = [ImageRequest(PROMPTS["by tags"].format(tags=tags[key.character]), key.seed) for key in keys]
    renderer = Renderer(folder, threads=1)
    images = [one.image for one in renderer.render(renderer.info.recipe, requests)]
    return dict(zip(keys, images, strict=True))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[CheckpointScore]:
    folders = unpack_base(tmp_path_factory.mktemp("base"))
    by_name = {folder.name: folder for folder in folders}
    suite = Suite(tuple(SuiteCharacter(name, references(name)) for name in NAMES), PROMPTS, SEEDS)
    with CCIPEncoder.default() as encoder:
        return [score(encoder, suite, rendered(by_name[name]), checkpoint=name) for name in EPOCHS]


def test_later_epochs_are_nearer_to_the_characters(scores: list[CheckpointScore]) -> None:
    differences = [one.difference.value for one in scores]
    print([f"{one.checkpoint} {one.difference.value:.3f} {one.same_rate.value:.2f} {one.top1:.2f}" for one in scores])
    assert differences == sorted(differences, reverse=True)
    assert [one.top1 for one in scores] == sorted(one.top1 for one in scores)
    assert all(one.complete for one in scores)


def test_the_first_and_the_last_epoch_are_told_apart(scores: list[CheckpointScore]) -> None:
    found = {(pair.a, pair.b): pair for pair in compare(scores) if pair.measure == "difference"}
    first_and_last = found["epoch-01", "base"]
    assert first_and_last.verdict == "B"
    assert first_and_last.high < 0
