"""A run that was killed anywhere ends as one that was not, bit for bit; a killed save and a full disk lose nothing.

Where a process dies is fixed by the kernel or by a call, never by a clock.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.checkpoint import content_sha256
from tests.training.killing import SINGLE, STEPS
from tests.training.test_run import assert_same
from training.state import load_state

pytestmark = pytest.mark.timeout(900)  # dozens of real processes
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def without_speed(path: Path) -> list[dict[str, Any]]:
    """A log but for what its seconds were."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "speed"} for line in lines]


@pytest.fixture(scope="module")
def killed(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``whole``; ``killed-N``, after step N; ``every``, after each step in turn; ``full`` and ``full-log``, whose disk
    was full at a checkpoint and at a line of the log; ``half-checkpoint``, killed in the middle of one.
    """
    out = tmp_path_factory.mktemp("killed")
    arguments = [str(small_data), str(small_base), str(small_data.parent / "latents"), str(out)]
    subprocess.run([sys.executable, "-m", "tests.training.killing", *arguments], cwd=ROOT, env=ENVIRONMENT, check=True)
    return out


@pytest.mark.parametrize(
    "name", [*(f"killed-{step}" for step in SINGLE), "every", "full", "full-log", "half-checkpoint"]
)
def test_killed_at_any_step_weights_optimizer_averages_and_logs_are_the_same(name: str, killed: Path) -> None:
    whole, other = killed / "whole", killed / name
    state = load_state(other)
    assert state is not None
    assert {"weights", "optimizer", "averages", "step"} <= set(state)
    assert_same(state, load_state(whole))
    for epoch in ("epoch-01", "epoch-02", "epoch-03"):
        assert content_sha256(other / epoch) == content_sha256(whole / epoch)
    for log in ("steps.jsonl", "log.jsonl"):
        assert without_speed(other / log) == without_speed(whole / log)


def test_a_disk_that_fills_at_a_checkpoint_leaves_the_ones_before_whole(killed: Path) -> None:
    before = killed / "full-before"
    assert (before / "latest").read_text() == "epoch-01\n"
    assert content_sha256(before / "epoch-01") == content_sha256(killed / "whole" / "epoch-01")
    assert not (before / "epoch-02").exists()
    assert not list(before.glob("*.partial"))
    state = load_state(before)
    assert state is not None
    assert state["step"] == 8


def test_the_killed_run_had_accumulation_averages_cosine_and_a_growing_batch(killed: Path) -> None:
    lines = without_speed(killed / "whole" / "steps.jsonl")
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    epochs = [sorted(line["images"] for line in lines if line["epoch"] == epoch) for epoch in (1, 2, 3)]
    assert epochs == [[4, 8, 8, 8, 8, 8], [12, 16, 16], [12, 16, 16]]  # all 44 posts, the batch doubled once
    rates = [line["unet_lr"] / 1.5e-3 for line in lines]
    assert rates[:3] == [0.5, 1.0, 1.0]  # warm-up, then the cosine's top
    assert rates[-1] < rates[6] < 0.75 < rates[5]  # the milestone at the seventh step takes a quarter


SAVING = """
import os, resource, signal, sys, torch
from pathlib import Path
from training.state import save_state
run, place = Path(sys.argv[1]), sys.argv[2]
save_state(run, {"step": 1, "value": torch.ones(2**20)})
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if place == "within":  # the kernel ends the process at the second MiB of four
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))
elif place == "written":
    os.fsync = kill
elif place == "unnamed":
    os.replace = kill
elif place == "full":  # a disk that takes one MiB more
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
save_state(run, {"step": 2, "value": torch.zeros(2**20)})
"""


def saved(run: Path, place: str) -> subprocess.CompletedProcess[str]:
    """A process that saves once whole, and meets its end at ``place`` of the second time."""
    done = subprocess.run(
        [sys.executable, "-c", SAVING, str(run), place], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    state = load_state(run)
    assert state is not None
    assert state["step"] == 1
    assert torch.equal(state["value"], torch.ones(2**20))
    return done


@pytest.mark.parametrize(("place", "number"), [
    ("within", signal.SIGXFSZ), ("written", signal.SIGKILL), ("unnamed", signal.SIGKILL)])  # fmt: skip
def test_a_kill_in_the_middle_of_saving_leaves_the_state_before(place: str, number: int, tmp_path: Path) -> None:
    """Half written, written and not yet on the disk, on the disk and not yet named: each leaves its remains behind."""
    assert saved(tmp_path, place).returncode == -number
    assert (tmp_path / "state.pt.partial").stat().st_size >= 2**21


def test_a_full_disk_leaves_the_state_before_and_says_what_to_do(tmp_path: Path) -> None:
    done = saved(tmp_path, "full")
    assert "UserError: cannot write" in done.stderr
    assert "free some disk space and run the same command again" in done.stderr
    assert not (tmp_path / "state.pt.partial").exists()
