"""The same prompts and seeds by every checkpoint: images with manifests, drawn again only where they must be."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from generation.loading import Origin
from generation.recipe import ImageRequest
from generation.renderer import Renderer
from tests.training.conftest import SMALL_PRESET
from tests.training.test_run import Watch
from training.cli import main
from training.errors import UserError
from training.launch import Launch
from training.samples import Asked, checkpoints_of, default_prompts, render_samples


@pytest.fixture(scope="module")
def run(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    out = tmp_path_factory.mktemp("samples") / "run"
    preset = replace(SMALL_PRESET, diffusion=replace(SMALL_PRESET.diffusion, epochs=1, steps_per_epoch=1))
    Launch(str(small_data), str(small_base), str(small_data.parent / "latents")).open(
        preset, out, "", Watch(), threading.Event()
    ).train()
    return out


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_every_checkpoint_renders_the_same_and_a_second_call_only_what_is_new(run: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(run, here)
    seen: list[str] = []
    assert main(["samples", str(here), "--prompt", "1girl, solo", "--seeds", "1,2", "--threads", "1"]) == 0
    samples = here / "samples"
    first = json.loads((samples / "samples.json").read_text())
    assert (first["prompts"], first["seeds"], list(first["checkpoints"])) == (
        ["1girl, solo"],
        [1, 2],
        ["base", "epoch-01"],
    )
    renderer = Renderer(here / "epoch-01")
    (direct,) = renderer.render(renderer.info.recipe, [ImageRequest("1girl, solo", 2)])
    with Image.open(samples / "epoch-01" / "2.png") as stored:
        assert stored.tobytes() == direct.image.tobytes()
        assert json.loads(stored.info["manifest"])["seed"] == 2
    assert size_of(samples / "grid.png") == (96 + 2 * (128 + 4), 44 + 2 * (128 + 4))

    shutil.copytree(here / "epoch-01", here / "epoch-02")
    asked = Asked(("1girl, solo",), (1, 2))
    render_samples(here, samples, asked, said=lambda name, done, total: seen.append(name))
    assert seen == ["epoch-02", "epoch-02"]
    render_samples(here, samples, Asked(("1boy",), (1,)), said=lambda name, done, total: seen.append(name))
    assert seen[2:] == ["base", "epoch-01", "epoch-02"]


def test_a_run_is_asked_for_its_characters_by_name(run: Path) -> None:
    prompts = default_prompts(run)
    assert len(prompts) == len(set(prompts)) == 6
    assert "1girl, akari, solo" in prompts


def test_a_checkpoint_alone_will_do(small_base: Path, tmp_path: Path) -> None:
    [row] = checkpoints_of(small_base)
    assert (row.name, row.origin) == ("base", Origin(small_base))
    assert main(["samples", str(small_base), "--out", str(tmp_path), "--seeds", "3", "--threads", "1"]) == 0
    assert size_of(tmp_path / "grid.png") == (96 + 2 * 132, 44 + 132)


def test_an_epoch_alone_is_called_by_its_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [row.name for row in checkpoints_of(run / "epoch-01")] == ["epoch-01"]
    monkeypatch.chdir(run / "epoch-01")
    assert [row.name for row in checkpoints_of(Path())] == ["epoch-01"]


def test_what_is_neither_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="holds no checkpoint and no LoRA"):
        checkpoints_of(tmp_path)
    assert main(["samples", str(tmp_path)]) == 1
    with pytest.raises(SystemExit):
        main(["samples", str(tmp_path), "--seeds", "one"])
    assert "'one' is no list of whole numbers" in capsys.readouterr().err
