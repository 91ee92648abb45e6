import os
import shutil
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from generation.checkpoint import read_checkpoint
from training import launch
from training.cli import main
from training.config import PRESETS
from training.hooks import ArenaClient
from training.signals import stop_on_signal


def train(data: Path, base: Path, out: Path, *more: str, preset: str = "named-adventurers") -> int:
    return main(["train", preset, "--data", str(data), "--base", str(base), "--out", str(out),
                 "--epochs", "1", "--steps-per-epoch", "2", "--batch", "4", "--threads", "1", *more])  # fmt: skip


def test_one_short_epoch_from_the_command_line(
    small_data: Path, small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(small_data, small_base, tmp_path / "run") == 0
    info = read_checkpoint(tmp_path / "run" / "epoch-01")
    assert (info.preset, info.epoch, info.step) == ("named-adventurers", 1, 2)
    assert "done, last checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize("preset", ["tiny", "FILE"])
def test_other_presets_and_files_of_settings(
    preset: str, small_data: Path, small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if preset == "FILE":
        preset = str(tmp_path / "mine.toml")
        shutil.copyfile(PRESETS / "tiny.toml", preset)
    assert train(small_data, small_base, tmp_path / "run", preset=preset) == 0
    info = read_checkpoint(tmp_path / "run" / "epoch-01")
    assert info.pad_mask
    assert info.config["objective"]["weighting"] == "debias"
    assert "caution: the base was trained with pad_mask False, this run is with True" in capsys.readouterr().out


def test_an_absent_arena_does_not_stop_the_training(
    small_data: Path,
    small_base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "ArenaClient", partial(ArenaClient, pauses=()))  # the real one, without waiting
    assert train(small_data, small_base, tmp_path / "run", "--arena", "http://127.0.0.1:9") == 0
    assert not (tmp_path / "run" / "arena.json").exists()
    assert "will be sent again" in capsys.readouterr().out


def test_resume_takes_the_run_folder_alone(
    small_data: Path, small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train(small_data, small_base, run, "--seed", "3") == 0
    (run / "state.pt").unlink()  # as if it had been killed before the first state
    shutil.rmtree(run / "epoch-01")
    assert main(["resume", str(run)]) == 0
    assert "done, last checkpoint" in capsys.readouterr().out
    assert read_checkpoint(run / "epoch-01").config["diffusion"]["seed"] == 3


def test_resume_names_what_is_missing_or_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(tmp_path)]) == 1
    assert "launch.json is missing: name the folder of a run" in capsys.readouterr().err
    (tmp_path / "launch.json").write_text("{")
    assert main(["resume", str(tmp_path)]) == 1
    assert "launch.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "named-adventurers", "--stop-when-worse", "0.95"], "give --arena URL as well"),
        (["train", "named-adventurer"], "unknown preset 'named-adventurer': did you mean 'named-adventurers'?"),
        (["train", "named-adventurers", "--base", "nowhere", "--arena", "localhost"], "must start with http://"),
    ],
)
def test_bad_input_ends_with_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_base_is_named(small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(small_data, tmp_path / "no-base", tmp_path / "run") == 1
    assert "the base cannot be loaded" in capsys.readouterr().err


def test_zero_epochs_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "named-adventurers", "--epochs", "0"])
    assert ended.value.code == 2
    assert "at least 1 is needed" in capsys.readouterr().err


def test_signals_ask_for_a_stop_inside_the_block_only() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for kind in (signal.SIGINT, signal.SIGTERM):
        stop = threading.Event()
        with stop_on_signal(stop):
            os.kill(os.getpid(), kind)
            assert stop.wait(2)
    assert signal.getsignal(signal.SIGTERM) is before
