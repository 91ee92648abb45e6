"""A run that teaches a concept: stopped and resumed, its log, samples and report, and what is refused."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from generation.header import manifest_in
from generation.loading import load_parts
from generation.lora_file import read_lora_info
from tests.training.test_leco import SMALL_LECO
from tests.training.test_lora import answer, merged
from tests.training.test_run import StopAfter, Watch
from tests.training.test_run_report import Reader
from training.cli import main
from training.errors import UserError
from training.leco_config import LecoConfig
from training.leco_launch import LecoLaunch
from training.leco_run import LecoRun
from training.run import Stopped
from training.run_files import LECO
from training.samples import checkpoints_of


def run(base: Path, out: Path, stop: threading.Event | None = None, config: LecoConfig = SMALL_LECO) -> LecoRun:
    launch = LecoLaunch(str(base), unrelated=("solo",))
    return LecoRun(launch, config, out, Watch(), stop or threading.Event())


def test_a_stopped_run_ends_with_the_bits_of_an_unbroken_one(small_base: Path, tmp_path: Path) -> None:
    whole = run(small_base, tmp_path / "whole").train()
    with pytest.raises(Stopped, match="stopped after step 4"):
        run(small_base, tmp_path / "broken", StopAfter(4)).train()
    again = run(small_base, tmp_path / "broken").train()
    one, other = load_file(whole), load_file(again)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    manifest = manifest_in(read_lora_info(whole).metadata, whole)
    assert manifest["config"]["leco"]["concept"] == SMALL_LECO.concept
    assert set(manifest["measured"]["moved"]) == {"solo"}
    assert (merged_answer := answer(merged(small_base, whole))) is not None
    assert not torch.equal(merged_answer, answer(load_parts(small_base)))


def test_another_run_is_not_taken_for_this_one(small_base: Path, tmp_path: Path) -> None:
    run(small_base, tmp_path / "run")
    with pytest.raises(UserError, match="with other settings or another base"):
        run(small_base, tmp_path / "run", config=replace(SMALL_LECO, guidance=2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--erase", " "], "the concept is empty"),
        (["--erase", "smile", "--guidance", "0"], "guidance must be above 0"),
        (["--enhance", "smile", "--targets", "atention"], "targets must be some of"),
        (["--erase", "smile", "--size", "30"], "--size must be a multiple of 4"),
    ],
)
def test_bad_input_is_named(
    small_base: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leco", *options, "--base", str(small_base), "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / LECO).exists()


def test_the_command_teaches_and_measures(small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--enhance", "smile", "--neutral", "1girl", "--guidance", "2", "--unrelated", "solo", "1boy"]
    numbers = ["--steps", "2", "--size", "32", "--rank", "2", "--targets", "text", "cross_attention", "--threads", "1"]
    assert main(["leco", *words, *numbers, "--base", str(small_base), "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "of the distance to the target" in printed
    assert all(f": {prompt}" in printed for prompt in ("solo", "1boy"))
    said = read_lora_info(tmp_path / "run" / LECO)
    assert (said.name, said.ranks) == ("enhance smile", (2,))
    taught = manifest_in(said.metadata, said.path)["config"]["leco"]
    assert (taught["action"], taught["concept"], taught["guidance"]) == ("enhance", "smile", 2.0)


def without_speed(path: Path) -> list[dict[str, object]]:
    lines = map(json.loads, path.read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "speed"} for line in lines]


def test_a_run_is_resumed_by_its_folder_alone_and_its_log_is_that_of_an_unbroken_one(
    small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(small_base, tmp_path / "whole").train()
    out = tmp_path / "broken"
    with pytest.raises(Stopped, match=r"`python -m training resume .*broken` goes on"):
        run(small_base, out, StopAfter(4)).train()
    with (out / "steps.jsonl").open("a") as log:
        log.write('{"step": 5, "loss": 0.1}\n')  # a step that a kill made obsolete
    assert main(["resume", str(out)]) == 0
    assert "at step 4 of 6" in capsys.readouterr().out
    assert without_speed(out / "steps.jsonl") == without_speed(tmp_path / "whole" / "steps.jsonl")
    assert len(without_speed(out / "steps.jsonl")) == SMALL_LECO.steps
    manifest = manifest_in(read_lora_info(out / LECO).metadata, out / LECO)
    assert set(manifest["measured"]["moved"]) == {"solo"}
    assert main(["resume", str(out), "--arena", "http://127.0.0.1:9"]) == 1
    assert "asks no arena" in capsys.readouterr().err
    (out / "launch.json").unlink()
    assert main(["resume", str(out)]) == 1
    assert "launch.json is missing: give the command that began the run again" in capsys.readouterr().err


def test_samples_show_what_the_taught_prompts_became_and_the_report_how_far_things_moved(
    small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    run(small_base, out).train()
    assert main(["samples", str(out), "--seeds", "1", "--threads", "1"]) == 0
    asked = json.loads((out / "samples" / "samples.json").read_text())
    assert (asked["prompts"], list(asked["checkpoints"])) == ([SMALL_LECO.concept, "solo"], ["base", "lora"])
    assert main(["report", str(out)]) == 0
    html, values = (out / "report.html").read_text(), json.loads((out / "report.json").read_text())
    read = Reader(html)
    assert (read.open, [source for source in read.fetched if not source.startswith("data:")]) == ([], [])
    assert len(read.fetched) == 4
    measured = manifest_in(read_lora_info(out / LECO).metadata, out / LECO)["measured"]
    assert (values["file"]["left"], values["file"]["moved"]) == (measured["left"], measured["moved"])
    assert (values["steps"], len(values["curve"])) == (SMALL_LECO.steps, SMALL_LECO.steps)
    assert f"<b>{SMALL_LECO.concept}</b><span>is erased</span>" in html


def test_a_run_without_a_step_has_no_report(small_base: Path, tmp_path: Path) -> None:
    run(small_base, tmp_path / "run")
    assert main(["report", str(tmp_path / "run")]) == 1


def test_samples_of_loras_without_their_base_say_where_it_was(small_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(small_base, out).train()
    launch = json.loads((out / "launch.json").read_text())
    (out / "launch.json").write_text(json.dumps(launch | {"base": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match=r"the checkpoint that they belong to is not at .*gone: put it back"):
        checkpoints_of(out)


def test_too_large_a_size_names_what_needs_less(small_base: Path, tmp_path: Path) -> None:
    """A real allocation that no machine grants."""
    with pytest.raises(UserError, match=r"out of memory at step 0\. Less is needed with fewer --batch, a"):
        run(small_base, tmp_path / "run", config=replace(SMALL_LECO, size=2**22)).train()
