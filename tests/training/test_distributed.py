"""Two real processes on this machine train as one does: the same batches, the same losses to 1e-5, one state."""

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.checkpoint import read_checkpoint
from tests.training.killing import PRESET
from tests.training.test_run import StopAfter, Watch, assert_same
from training.config import to_mapping
from training.errors import UserError
from training.processes import Alone
from training.run import Run, RunPlan, Stopped
from training.state import load_state
from training.toml_writer import to_toml

pytestmark = pytest.mark.timeout(900)  # dozens of real processes
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TORCHRUN = (str(BIN / "torchrun"), "--nproc-per-node", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0")
ACCELERATE = (str(BIN / "accelerate"), "launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0")  # fmt: skip
ALONE_UNTIL = 5  # steps of the run that two processes with cut weights go on with


def plan(data: Path, base: Path, out: Path) -> RunPlan:
    return RunPlan(PRESET, data, base, out, data.parent / "latents")


def launched(launcher: tuple[str, ...], out: Path, data: Path, base: Path, *options: str) -> str:
    """Train by the command line in two processes; what they printed."""
    settings = out.parent / "small.toml"
    settings.write_text(to_toml(to_mapping(PRESET)))
    done = subprocess.run(
        [*launcher, "-m", "training", "train", str(settings), "--data", str(data), "--base", str(base),
         "--out", str(out), "--cache", str(data.parent / "latents"), "--device", "cpu", "--threads", "1", *options],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def whole(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    Run(plan(small_data, small_base, out), Watch(), threading.Event()).train()
    return out


def steps(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]


def assert_the_same_run(out: Path, whole: Path) -> None:
    for one, other in zip(steps(whole), steps(out), strict=True):
        for name in ("epoch", "step", "images", "unet_lr", "text_lr"):
            assert other[name] == one[name]
        # Each sample's timestep is drawn by its place in the whole batch: the same batches, however they were cut.
        assert [count for count, _ in other["by_timestep"]] == [count for count, _ in one["by_timestep"]]
        for name in ("loss", "raw_loss"):
            assert other[name] == pytest.approx(one[name], rel=1e-5)
    assert [read_checkpoint(out / f"epoch-0{epoch}").step for epoch in (1, 2, 3)] == [6, 9, 12]


@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_two_processes_with_all_weights_train_as_one(
    launcher: tuple[str, ...], whole: Path, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    printed = launched(launcher, tmp_path / "run", small_data, small_base)
    assert_the_same_run(tmp_path / "run", whole)
    assert printed.count("done, last checkpoint") == 1  # by the leading process alone
    state = load_state(tmp_path / "run")
    assert state is not None
    assert state["world"] == 2


def test_two_processes_with_cut_weights_go_on_with_a_run_of_one_and_one_goes_on_with_theirs(
    whole: Path, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Stopped):
        Run(plan(small_data, small_base, out), Watch(), StopAfter(ALONE_UNTIL)).train()
    printed = launched(TORCHRUN, out, small_data, small_base, "--shard")
    assert f"at step {ALONE_UNTIL} of 12" in printed
    assert "by 2 processes, before by 1: the batches are the same" in printed
    assert_the_same_run(out, whole)
    theirs = load_state(out)
    assert theirs is not None
    watch = Watch()
    taken_up = Run(plan(small_data, small_base, out), watch, threading.Event())
    assert any("by 1 processes, before by 2" in line for line in watch.lines)
    assert_same(
        taken_up._trainer.state(), {name: theirs[name] for name in ("step", "weights", "optimizer", "averages")}
    )
    expected = load_state(whole)
    assert expected is not None
    assert {name: value.shape for name, value in theirs["weights"].items()} == {
        name: value.shape for name, value in expected["weights"].items()
    }


def test_a_single_process_loads_no_code_of_several() -> None:
    script = (
        "import sys, training.train_cli, training.processes as p; p.join('cpu');"
        "print(sorted(name for name in sys.modules if name in ('accelerate', 'training.distributed')))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "training.distributed" not in done.stdout


def test_several_processes_need_a_base_of_their_own(small_data: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "train", "tiny", "--data", str(small_data), "--out", str(tmp_path / "run")],
        cwd=ROOT, env={**os.environ, "WORLD_SIZE": "2", "RANK": "0"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "several processes need --base" in done.stderr
    assert not (tmp_path / "run").exists()


class Cut(Alone):
    """One process that says it cuts its weights."""

    shards = True


def test_cut_weights_take_adamw(small_data: Path, small_base: Path, tmp_path: Path) -> None:
    preset = replace(PRESET, optimizer=replace(PRESET.optimizer, name="adafactor"))
    with pytest.raises(UserError, match="--shard takes whole weights and adamw, not adafactor"):
        Run(replace(plan(small_data, small_base, tmp_path), preset=preset), Watch(), threading.Event(), Cut())
    shutil.rmtree(tmp_path)


def test_sums_over_one_process_are_the_values() -> None:
    alone = Alone()
    values = torch.arange(3.0)
    assert alone.total(values) is values
    assert (alone.any(True), alone.any(False), alone.gathered([3, 4])) == (True, False, [3, 4])
