"""A LoRA run and what is around it: the arena, a resume by the folder alone, two processes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from generation.checkpoint import file_sha256
from generation.loading import Origin
from generation.lora_file import LoraRef
from generation.recipe import ImageRequest
from generation.renderer import Renderer
from tests.training.test_distributed import ROOT, TORCHRUN, steps
from tests.training.test_hooks import Arena, arena
from tests.training.test_lora import SMALL_LORA, whole
from training.cli import main
from training.config import to_mapping
from training.errors import UserError
from training.hooks import ArenaClient, ArenaHook
from training.launch import Launch
from training.samples import Asked, render_samples
from training.toml_writer import to_toml

__all__ = ["arena", "whole"]


def test_every_epoch_is_registered_once_as_the_base_with_the_lora(
    arena: Arena, whole: Path, small_base: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    hook = ArenaHook(ArenaClient(arena.url, "secret"), "small", run, print, base=small_base)
    hook.register()
    hook.register()
    bodies = [body for _, path, body, _ in arena.asked if path == "/api/checkpoints"]
    names = ("epoch-01.safetensors", "epoch-02.safetensors")
    assert [body["lora"] for body in bodies] == [str((run / name).resolve()) for name in names]
    assert {body["path"] for body in bodies} == {str(small_base.resolve())}


def test_the_standings_of_a_lora_are_its_epochs_whatever_others_are_called(
    arena: Arena, whole: Path, small_base: Path, tmp_path: Path
) -> None:
    """The board says of each the base's run and epoch, and another run's LoRA may have the same title."""
    run = shutil.copytree(whole, tmp_path / "run")
    arena.ids = iter((31, 32))
    hook = ArenaHook(ArenaClient(arena.url), "small", run, print, base=small_base)
    hook.register()
    names = {30: "start", 31: "start + small epoch 1", 32: "start + small epoch 2", 40: "start + small epoch 2"}
    same = dict.fromkeys(("checkpoint", "rank", "value", "mu", "low", "high", "votes"), 1)
    arena.rows = [
        {**same, "contestant": name, "contestant_id": number, "run": "start", "epoch": 0}
        for number, name in names.items()
    ]
    rows = hook.standings()
    assert rows is not None
    assert [(row["contestant_id"], row["epoch"]) for row in rows] == [(31, 1), (32, 2)]


def test_stopping_for_an_earlier_epoch_is_refused() -> None:
    launch = Launch(data="", base="", cache="", stop_when_worse=0.95, arena="http://arena")
    with pytest.raises(UserError, match="leave it out for a LoRA"):
        launch.check(SMALL_LORA)


@pytest.fixture(scope="module")
def by_command(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs that the command line started."""
    out = tmp_path_factory.mktemp("command") / "run"
    where = ["--data", small_data, "--base", small_base, "--out", out, "--cache", small_data.parent / "latents"]
    length = ["--epochs", "2", "--steps-per-epoch", "1", "--batch", "4", "--threads", "1", "--rank", "2"]
    assert main(["lora", "named-adventurers", *map(str, where), *length]) == 0
    return out


def test_a_run_is_resumed_by_its_folder_alone(by_command: Path) -> None:
    first = (by_command / "epoch-01.safetensors").read_bytes()
    assert main(["resume", str(by_command)]) == 0
    assert (by_command / "epoch-01.safetensors").read_bytes() == first


def test_samples_show_the_base_and_what_each_epochs_lora_makes_of_it(
    by_command: Path, small_base: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(by_command, tmp_path / "run")
    assert main(["samples", str(run), "--prompt", "1girl, akari, solo", "--seeds", "1,2", "--threads", "1"]) == 0
    asked = json.loads((run / "samples" / "samples.json").read_text())
    assert list(asked["checkpoints"]) == ["base", "epoch-01", "epoch-02"]
    lora = LoraRef(run / "epoch-02.safetensors")
    renderer = Renderer(Origin(small_base, loras=(lora,)))
    (direct,) = renderer.render(renderer.info.recipe, [ImageRequest("1girl, akari, solo", 2)])
    with Image.open(run / "samples" / "epoch-02" / "2.png") as stored:
        assert stored.tobytes() == direct.image.tobytes()
        assert json.loads(stored.info["manifest"])["loras"][0]["sha256"] == file_sha256(lora.path)
    seen: list[str] = []
    (run / "epoch-01.safetensors").write_bytes((run / "epoch-02.safetensors").read_bytes())  # another LoRA by that name
    render_samples(
        run, run / "samples", Asked(("1girl, akari, solo",), (1, 2)), said=lambda name, *_: seen.append(name)
    )
    assert seen == ["epoch-01", "epoch-01"]


def test_the_report_names_each_epochs_file(by_command: Path, tmp_path: Path) -> None:
    run = shutil.copytree(by_command, tmp_path / "run")
    assert main(["report", str(run)]) == 0
    values = json.loads((run / "report.json").read_text())
    names = ["epoch-01.safetensors", "epoch-02.safetensors"]
    assert [line["folder"] for line in values["epochs"]] == names
    assert [line["sha256"] for line in values["epochs"]] == [file_sha256(run / name) for name in names]
    html = (run / "report.html").read_text()
    assert '<a href="epoch-02.safetensors">' in html
    assert "One LoRA each, of rank 2 on attention, feed_forward, projection, text" in html
    assert "deleted" not in html


def test_two_processes_train_a_lora_as_one_does(
    whole: Path, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    settings, out = tmp_path / "small.toml", tmp_path / "run"
    settings.write_text(to_toml(to_mapping(SMALL_LORA)))
    done = subprocess.run(
        [*TORCHRUN, "-m", "training", "lora", str(settings), "--data", str(small_data), "--base", str(small_base),
         "--out", str(out), "--cache", str(small_data.parent / "latents"), "--device", "cpu", "--threads", "1"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for one, other in zip(steps(whole), steps(out), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
    one, other = (load_file(folder / "epoch-02.safetensors") for folder in (whole, out))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[key], other[key], atol=1e-5) for key in one)
