"""Concepts are erased as the formula says, by adapters alone, and a stopped run ends with the same bits."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from generation.conditioning import encode_text, time_ids
from generation.header import manifest_in
from generation.loading import Parts, load_parts
from generation.lora_file import read_lora_info
from tests.training.test_lora import answer, merged
from tests.training.test_run import StopAfter, Watch
from training.base_files import unpack_base
from training.cli import main
from training.errors import UserError
from training.leco import WALK, Leco, LecoConfig, States
from training.leco_run import FILE, LecoRun
from training.lora_config import LoraConfig
from training.noise import generator
from training.run import Stopped

SMALL_LECO = LecoConfig(concept="1girl, red hair", size=32, batch=2, steps=6, lr=1e-2, lora=LoraConfig(rank=2))


@pytest.fixture
def parts(small_base: Path) -> Parts:
    return load_parts(small_base)


def some_states(leco: Leco) -> States:
    walk = leco.walk(0, leco.config.concept, leco.config.batch)
    return leco.states(walk, 0, 5)


@torch.no_grad()
def epsilon(parts: Parts, states: States, prompt: str) -> torch.Tensor:
    """The U-Net asked directly."""
    text = encode_text(parts, [prompt] * 2)
    sizes = {"text_embeds": text.pooled, "time_ids": time_ids(32, 32, 2)}
    output: torch.Tensor = parts.unet(states.x, states.timesteps, text.hidden, added_cond_kwargs=sizes).sample
    return output


@pytest.mark.parametrize(("action", "sign"), [("erase", -1), ("enhance", 1)])
def test_the_target_is_the_formula_of_the_base_whatever_the_adapters_are(
    parts: Parts, small_base: Path, action: str, sign: int
) -> None:
    prompts = {"neutral": "1girl", "positive": "red hair, smile", "unconditional": "solo"}
    leco = Leco(parts, replace(SMALL_LECO, action=action, guidance=1.5, **prompts))
    states = some_states(leco)
    for weight in leco.adapters.parameters():
        weight.data.add_(0.1)
    plain = load_parts(small_base)
    neutral, positive, unconditional = (epsilon(plain, states, prompt) for prompt in prompts.values())
    assert torch.equal(leco.target(states), neutral + sign * 1.5 * (positive - unconditional))


def test_by_default_the_direction_is_from_the_empty_prompt_to_the_concept(parts: Parts, small_base: Path) -> None:
    leco = Leco(parts, SMALL_LECO)
    states = some_states(leco)
    plain = load_parts(small_base)
    empty, concept = epsilon(plain, states, ""), epsilon(plain, states, SMALL_LECO.concept)
    assert torch.equal(leco.target(states), empty - (concept - empty))


def test_every_number_of_steps_comes_once_for_each_row_at_its_timestep(parts: Parts) -> None:
    leco = Leco(parts, SMALL_LECO)
    walk = leco.walk(0, "1girl", 2)
    assert walk.shape == (49, 2, 4, 8, 8)
    found = [leco.states(walk, 0, place) for place in range(WALK)]
    timesteps = torch.stack([states.timesteps for states in found])
    expected = sorted(999 - int(k * 1000 / 50) for k in range(1, 50))
    assert [sorted(column) for column in timesteps.T.tolist()] == [expected, expected]
    assert timesteps[:, 0].tolist() != timesteps[:, 1].tolist()
    for states in found:
        for row in range(2):
            k = (999 - int(states.timesteps[row])) // 20
            assert torch.equal(states.x[row], walk[k - 1, row])


def test_a_walk_begins_with_an_euler_step_at_cfg_3(parts: Parts, small_base: Path) -> None:
    """By hand, in the U-Net's own scale: x0 = (x - sqrt(1 - abar) eps) / sqrt(abar), then noised for timestep 979."""
    leco = Leco(parts, SMALL_LECO)
    first = leco.walk(0, "1girl", 2)[0]
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    noise = torch.randn((2, 4, 8, 8), generator=generator(leco.config.seed, "leco", "noise", 0))
    start = States(noise * float((1 - kept[999]).sqrt()), torch.tensor([999, 999]))
    plain = load_parts(small_base)
    empty, towards = epsilon(plain, start, ""), epsilon(plain, start, "1girl")
    eps = empty + 3 * (towards - empty)
    x0 = (start.x - float((1 - kept[999]).sqrt()) * eps) / float(kept[999].sqrt())
    expected = float(kept[979].sqrt()) * x0 + float((1 - kept[979]).sqrt()) * eps
    assert (first - expected).abs().max() < 1e-4


def test_training_changes_adapters_alone(parts: Parts, small_base: Path) -> None:
    leco = Leco(parts, SMALL_LECO)
    before = [weight.clone() for weight in leco.adapters.parameters()]
    for _ in range(2):
        leco.advance()
    assert not all(torch.equal(one, other) for one, other in zip(before, leco.adapters.parameters(), strict=True))
    with leco.adapters.off():
        assert torch.equal(answer(parts), answer(load_parts(small_base)))


def test_a_concept_is_erased_and_what_is_unrelated_stays(tmp_path: Path) -> None:
    """The real thing on the committed base: 90 % of the way to the target, and 5 % elsewhere at most."""
    base = unpack_base(tmp_path)[-1]
    erased = LecoConfig(
        concept="1girl, solo, red hair",
        neutral="1girl, solo, red hair",
        preserve=("1boy, solo, smile",),
        size=32,
        batch=4,
        steps=98,
        lr=1e-2,
        lora=LoraConfig(rank=8, targets=("text",)),
    )
    leco = Leco(load_parts(base), erased)
    while leco.step < erased.steps:
        leco.advance()
    assert leco.left() <= 0.10
    assert leco.moved("1boy, glasses") < 0.05


def run(base: Path, out: Path, stop: threading.Event | None = None, config: LecoConfig = SMALL_LECO) -> LecoRun:
    return LecoRun(base, config, out, Watch(), stop or threading.Event())


def test_a_stopped_run_ends_with_the_bits_of_an_unbroken_one(small_base: Path, tmp_path: Path) -> None:
    whole = run(small_base, tmp_path / "whole").train(["solo"])
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
    assert not (tmp_path / "run" / FILE).exists()


def test_the_command_teaches_and_measures(small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--enhance", "smile", "--neutral", "1girl", "--guidance", "2", "--unrelated", "solo", "1boy"]
    numbers = ["--steps", "2", "--size", "32", "--rank", "2", "--targets", "text", "cross_attention", "--threads", "1"]
    assert main(["leco", *words, *numbers, "--base", str(small_base), "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "of the distance to the target" in printed
    assert all(f": {prompt}" in printed for prompt in ("solo", "1boy"))
    said = read_lora_info(tmp_path / "run" / FILE)
    assert (said.name, said.ranks) == ("enhance smile", (2,))
    taught = manifest_in(said.metadata, said.path)["config"]["leco"]
    assert (taught["action"], taught["concept"], taught["guidance"]) == ("enhance", "smile", 2.0)
