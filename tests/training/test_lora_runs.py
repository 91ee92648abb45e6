"""A LoRA run and what is around it: the arena, a resume by the folder alone, two processes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.test_distributed import ROOT, TORCHRUN, steps
from tests.training.test_hooks import Arena, arena
from tests.training.test_lora import SMALL_LORA, whole
from training.cli import main
from training.config import to_mapping
from training.errors import UserError
from training.hooks import ArenaClient, ArenaHook
from training.launch import Launch
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


def test_the_standings_of_a_lora_are_those_with_it(whole: Path, small_base: Path) -> None:
    rows = [
        {"contestant": name, "run": run, "rank": 1, "value": 1.0, "votes": 3, "epoch": 0}
        for name, run in (("start", "start"), ("start + small epoch 2", "start"), ("small epoch 2", "small"))
    ]
    hook = ArenaHook(ArenaClient("http://127.0.0.1:1"), "small", whole, print, base=small_base)
    assert [row["contestant"] for row in rows if hook.owns(row)] == ["start + small epoch 2"]


def test_stopping_for_an_earlier_epoch_is_refused() -> None:
    launch = Launch(data="", base="", cache="", stop_when_worse=0.95, arena="http://arena")
    with pytest.raises(UserError, match="leave it out for a LoRA"):
        launch.check(SMALL_LORA)


def test_a_run_is_resumed_by_its_folder_alone(small_data: Path, small_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    where = [
        "--data",
        str(small_data),
        "--base",
        str(small_base),
        "--out",
        str(out),
        "--cache",
        str(tmp_path / "cache"),
    ]
    length = ["--epochs", "1", "--steps-per-epoch", "1", "--batch", "4", "--threads", "1"]
    assert main(["lora", "named-adventurers", *where, *length]) == 0
    first = (out / "epoch-01.safetensors").read_bytes()
    assert main(["resume", str(out)]) == 0
    assert (out / "epoch-01.safetensors").read_bytes() == first


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
