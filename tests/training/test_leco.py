"""Concepts are erased as the formula says, by adapters alone, and a stopped run ends with the same bits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generation.conditioning import encode_text, time_ids
from generation.loading import Parts, load_parts
from tests.training.test_lora import answer
from training.base_files import unpack_base
from training.leco import WALK, Leco, States
from training.leco_config import LecoConfig
from training.lora_config import LoraConfig
from training.noise import generator

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
