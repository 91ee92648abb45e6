"""What a LoRA run tells the arena: each epoch's file, to be added to its base."""

import shutil
from pathlib import Path

import pytest

from tests.training.test_hooks import Arena, arena
from tests.training.test_lora import SMALL_LORA, whole
from training.cli import main
from training.errors import UserError
from training.hooks import ArenaClient, ArenaHook
from training.launch import Launch

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


@pytest.mark.parametrize("asked", [{"stop_when_worse": 0.95, "arena": "http://arena"}, {"shard": True}])
def test_what_a_lora_cannot_do_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(UserError, match="leave it out for a LoRA"):
        Launch(data="", base="", cache="", **asked).check(SMALL_LORA)


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
