"""Fine-tuning brings named characters into the base: by character similarity, and before simulated voters of an arena.

The small version trains three characters for a minute; the slow one is the demo's own preset and data set.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from generation.checkpoint import read_checkpoint
from generation.files import write_text
from generation.recipe import ImageRequest
from generation.renderer import Renderer
from rating.ccip import CCIPEncoder, CheckpointScore, Key, Suite, SuiteCharacter, score
from tests.site import TOKEN, Site
from training.base_files import unpack_base
from training.cli import main
from training.config import Preset, load_preset
from training.data import choose_posts
from training.dataset.characters import CHARACTERS
from training.dataset.render import render
from training.dataset.scenes import random_scene
from training.hooks import Progress
from training.launch import Launch
from training.rng import stream

pytestmark = [pytest.mark.loop, pytest.mark.timeout(900)]

FEW = ("akari", "goro", "kohaku")
SEEDS = (1001, 1002, 1003)
NAMES = tuple(sorted(CHARACTERS))
PICKY = 25.0  # nat by which voters prefer an image that is nearer by 1


class Quiet:
    """A display that nobody looks at."""

    def say(self, text: str) -> None:
        print(text)

    def step(self, progress: Progress) -> None:
        """Nothing to see."""


def only(folder: Path, names: Sequence[str]) -> None:
    """Leave in a data set the posts of these characters and those without any."""
    path = folder / "posts.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    write_text(path, "".join(line for line in lines if json.loads(line)["tag_string_character"] in ("", *names)))


def suite(names: Sequence[str]) -> Suite:
    """Six drawings of each as the data set has them; each is asked for by name alone."""
    known = {name: tuple(render(random_scene(stream(0, "reference", name, number), CHARACTERS[name]))
                         for number in range(6)) for name in names}  # fmt: skip
    return Suite(tuple(SuiteCharacter(name, known[name]) for name in names), {"by name": "{name}, solo"}, SEEDS)


def rendered(folder: Path, names: Sequence[str]) -> dict[Key, Image.Image]:
    """Each name with each seed by a checkpoint's own recipe."""
    keys = [Key(name, "by name", seed) for name in names for seed in SEEDS]
    persons = {name: CHARACTERS[name].tags()[0] for name in names}
    requests = [
        ImageRequest(f"{persons[key.character]}, {key.character.replace('_', ' ')}, solo", key.seed) for key in keys
    ]
    renderer = Renderer(folder, threads=1)
    images = [one.image for one in renderer.render(renderer.info.recipe, requests)]
    return dict(zip(keys, images, strict=True))


def scores(folders: Sequence[Path], names: Sequence[str]) -> list[CheckpointScore]:
    """Nearness to the characters, checkpoint by checkpoint."""
    asked = suite(names)
    with CCIPEncoder.default() as encoder:
        found = [score(encoder, asked, rendered(folder, names), checkpoint=folder.name) for folder in folders]
    print([f"{one.checkpoint} {one.difference.value:.3f} {one.same_rate.value:.2f} {one.top1:.2f}" for one in found])
    return found


def rise(place: Path, preset: Preset, data: Path, names: Sequence[str]) -> tuple[list[float], list[str]]:
    """Train with an arena. How unlike the characters base and epochs are, and the order on the board of voters who
    judge by just that, the best first."""
    base = unpack_base(place / "base")[-1]
    site = Site(place / "arena")
    site.manage("migrate", "-v0")
    site.manage("register_checkpoint", str(base), "--no-evaluate")
    launch = Launch(str(data), str(base), str(place / "latents"), arena=site.url, population="simulated")
    with site.serving():
        launch.open(preset, place / "run", TOKEN, Quiet(), threading.Event()).train()
        folders = [base, *sorted((place / "run").glob("epoch-*"))]
        found = [one.difference.value for one in scores(folders, names)]
        votes = [
            f"{read_checkpoint(folder).sha256}={-PICKY * value}" for folder, value in zip(folders, found, strict=True)
        ]
        site.command("-m", "tests.arena.votes.preferring", *votes)
        rows = site.get("/api/leaderboard?population=simulated")["rows"]
    by_hash = {read_checkpoint(folder).sha256[:12]: folder.name for folder in folders}
    return found, [by_hash[row["checkpoint"]] for row in rows]


def test_a_minute_of_fine_tuning_brings_three_characters_nearer(tmp_path: Path) -> None:
    data = tmp_path / "dataset"
    assert main(["dataset", "demo", "--out", str(data), "--images", "40", "--named", "16", "--workers", "1"]) == 0
    only(data, FEW)
    assert {post.character for post in choose_posts(data, "named")} == {(name,) for name in FEW}
    whole = load_preset("named-adventurers")
    preset = replace(whole, diffusion=replace(whole.diffusion, epochs=2, steps_per_epoch=30, batch=8),
                     schedule=replace(whole.schedule, warmup=5))  # fmt: skip
    found, order = rise(tmp_path, preset, data, FEW)
    assert found[2] < found[0] - 0.03
    assert order.index("epoch-02") < order.index("base")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demos_epochs_rise_one_after_the_other(tmp_path: Path) -> None:
    data = tmp_path / "dataset"
    assert main(["dataset", "demo", "--out", str(data)]) == 0
    found, order = rise(tmp_path, load_preset("named-adventurers"), data, NAMES)
    assert found == sorted(found, reverse=True)
    assert order == ["epoch-04", "epoch-03", "epoch-02", "epoch-01", "base"]
