"""What every line of a run's log says of speed, and the same numbers read back from TensorBoard's own files."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from generation.loading import load_parts
from tests.training.conftest import SMALL_PRESET
from tests.training.test_run import StopAfter, Watch
from training import tensorboard
from training.errors import UserError
from training.flops import ImageWork
from training.launch import Launch
from training.run import Stopped

PEAK = 0.1  # TFLOP/s


@pytest.fixture(scope="module")
def run(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after step 6 of 8 and resumed, with TensorBoard and a peak."""
    out = tmp_path_factory.mktemp("speed") / "run"
    launch = Launch(
        str(small_data), str(small_base), str(small_data.parent / "latents"), peak_tflops=PEAK, tensorboard=True
    )
    with pytest.raises(Stopped):
        launch.open(SMALL_PRESET, out, "", Watch(), StopAfter(6)).train()
    launch.open(SMALL_PRESET, out, "", Watch(), threading.Event()).train()
    return out


def lines(run: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def test_every_line_has_images_a_second_wait_and_utilisation(run: Path, small_base: Path) -> None:
    work = ImageWork(load_parts(small_base), text=True).tflop(64, 64)
    steps, epochs = lines(run, "steps.jsonl"), lines(run, "log.jsonl")
    assert ([line["step"] for line in steps], [line["step"] for line in epochs]) == ([*range(1, 9)], [4, 8])
    for line in [*steps, *epochs]:
        speed = line["speed"]
        assert speed["images_per_s"] == pytest.approx(line["images"] / speed["wall_s"], rel=0.05)
        assert speed["data_wait"] == pytest.approx(speed["wait_s"] / speed["wall_s"], abs=0.05)
        assert speed["mfu"] == pytest.approx(work * speed["images_per_s"] / PEAK, rel=0.05)
    assert all(line["size"] == [64, 64] for line in steps)


def test_the_folder_remembers_how_it_was_launched(run: Path, small_base: Path) -> None:
    launch = json.loads((run / "launch.json").read_text())
    assert (launch["base"], launch["peak_tflops"], launch["arena"]) == (str(small_base), PEAK, None)


def test_tensorboard_has_the_numbers_of_the_log(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    for tag, name in (("loss/weighted", "loss"), ("loss/raw", "raw_loss"), ("rate/unet", "unet_lr")):
        found = {event.step: event.value for event in events.Scalars(tag)}
        assert found == pytest.approx({line["step"]: line[name] for line in lines(run, "steps.jsonl")}, rel=1e-6)
    assert len(events.Scalars("speed/mfu")) == 8


def test_standings_become_a_curve_for_each_epoch() -> None:
    rows = [{"epoch": 2, "value": 25.5, "votes": 9}, {"epoch": 1, "value": None, "votes": 0}]
    assert list(tensorboard.scalars("standings.jsonl", {"step": 8, "rows": rows})) == [
        ("arena/epoch 2", 25.5), ("arena votes/epoch 2", 9), ("arena/epoch 1", None), ("arena votes/epoch 1", 0)
    ]  # fmt: skip


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'tensorboard'", name=name)

    monkeypatch.setattr(tensorboard, "import_module", missing)
    with pytest.raises(UserError, match=r"No module named 'tensorboard'.*illustration-arena\[tensorboard\]"):
        Launch("", "", "", tensorboard=True).check(SMALL_PRESET)


def test_an_unknown_peak_is_said_and_no_number_made_up(small_data: Path, small_base: Path, tmp_path: Path) -> None:
    display = Watch()
    run = Launch(str(small_data), str(small_base), str(small_data.parent / "latents")).open(
        SMALL_PRESET, tmp_path / "run", "", display, StopAfter(1)
    )
    with pytest.raises(Stopped):
        run.train()
    assert "give --peak-tflops" in "\n".join(display.lines)
    assert lines(tmp_path / "run", "steps.jsonl")[0]["speed"]["mfu"] is None
