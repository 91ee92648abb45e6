"""The step: what accumulation, recomputation, precision, optimisers and averages change, and what they leave."""

import copy
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import SMALL_PRESET
from tests.training.test_run import Watch
from training.config import Preset
from training.engine import StepResult, Trainer
from training.errors import UserError
from training.optimizers import build_optimizer
from training.run import Run, RunPlan
from training.train_config import OptimizerConfig

Make = Callable[..., Trainer]


@pytest.fixture
def make(small_data: Path, small_base: Path, tmp_path: Path) -> Make:
    """A trainer of the small preset with other settings, given by table."""

    def made(**tables: dict[str, Any]) -> Trainer:
        changed: Preset = replace(
            SMALL_PRESET, **{name: replace(getattr(SMALL_PRESET, name), **values) for name, values in tables.items()}
        )
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        return Run(RunPlan(changed, small_data, small_base, out, small_data.parent / "latents"), Watch(),
                   threading.Event())._trainer  # fmt: skip

    return made


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trainer._denoiser.named_parameters()}


def steps(trainer: Trainer, count: int = 3) -> list[StepResult]:
    return [trainer.advance() for _ in range(count)]


def furthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_accumulation_trains_on_the_same_batch(most: int, make: Make) -> None:
    whole, parts = make(), make(diffusion={"micro_batch": most})
    for one, other in zip(steps(whole), steps(parts), strict=True):
        assert other.images == one.images == 4
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        assert other.raw_loss == pytest.approx(one.raw_loss, rel=1e-5)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-4)
        assert [count for count, _ in other.by_timestep] == [count for count, _ in one.by_timestep]


def test_the_losses_by_timestep_add_up_to_the_raw_loss(make: Make) -> None:
    [result] = steps(make(), 1)
    assert sum(count for count, _ in result.by_timestep) == 4
    assert sum(total for _, total in result.by_timestep) / 4 == pytest.approx(result.raw_loss)
    assert result.loss != pytest.approx(result.raw_loss)


def test_recomputed_activations_give_the_same_bits(make: Make) -> None:
    kept, recomputed = make(), make(diffusion={"gradient_checkpointing": True})
    assert steps(kept) == steps(recomputed)
    assert furthest(weights(kept), weights(recomputed)) == 0


def test_rates_of_unet_and_text_encoders_are_apart(make: Make) -> None:
    frozen = make(optimizer={"text_lr": 0.0})
    before = weights(frozen)
    [result] = steps(frozen, 1)
    after = weights(frozen)
    assert (result.unet_lr, result.text_lr) == (1.5e-3, 0.0)
    assert all(torch.equal(after[name], before[name]) for name in before if name.startswith("text"))
    assert not torch.equal(after["unet.conv_in.weight"], before["unet.conv_in.weight"])
    assert not any(name.startswith("text") for name in frozen.state()["averages"]["averages"])
    [slow] = steps(make(optimizer={"text_lr": 1e-6}), 1)
    assert (slow.unet_lr, slow.text_lr) == (1.5e-3, 1e-6)


@pytest.mark.parametrize("precision", ["bf16_autocast", "bf16_weights"])
def test_bfloat16_stays_near_float32(precision: str, make: Make) -> None:
    half = make(diffusion={"precision": precision})
    for one, other in zip(steps(make()), steps(half), strict=True):
        assert other.raw_loss == pytest.approx(one.raw_loss, rel=0.05)
    kept = torch.float32 if precision == "bf16_autocast" else torch.bfloat16
    assert {value.dtype for value in weights(half).values()} == {kept}
    assert {value.dtype for value in half.state()["averages"]["averages"].values()} == {torch.float32}


def test_without_averages_the_weights_themselves_are_saved(make: Make) -> None:
    trainer = make(optimizer={"ema": 0.0})
    steps(trainer, 2)
    own = weights(trainer)
    with trainer.averaged():
        assert furthest(weights(trainer), own) == 0
    averaged = make()
    steps(averaged, 2)
    with averaged.averaged():
        assert furthest(weights(averaged), own) > 0
    assert furthest(weights(averaged), own) == 0


def test_adamw_by_hand() -> None:
    """One step: the value shrinks by lr * decay, then moves by lr against the gradient's sign."""
    value = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = build_optimizer([{"params": [value], "lr": 0.1}], OptimizerConfig(weight_decay=0.01))
    value.grad = torch.tensor([3.0])
    optimizer.step()
    assert value.item() == pytest.approx(2.0 * (1 - 0.1 * 0.01) - 0.1)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.99)


def test_adafactor_by_hand() -> None:
    """First step of a vector: against the gradient's sign, by the rate times the value's root mean square."""
    value = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = build_optimizer([{"params": [value], "lr": 0.01}], OptimizerConfig(name="adafactor", weight_decay=0.0))
    value.grad = torch.tensor([0.5, -0.5])
    optimizer.step()
    size = 0.01 * (12.5**0.5)
    assert value.tolist() == pytest.approx([3 - size, 4 + size], rel=1e-4)


# Not among the test tools: with it, every process that loads diffusers and peft prints a warning of its own.
EIGHT_BIT = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes, the extra eight-bit")


@EIGHT_BIT
def test_eight_bit_adam_goes_where_adam_goes_with_a_quarter_of_the_memory() -> None:
    """64 x 64 weights are the least that bitsandbytes keeps in eight bits; five steps of Adam are the reference."""
    ways = []
    for name in ("adamw", "adamw8bit"):
        random = torch.Generator().manual_seed(0)
        value = torch.nn.Parameter(torch.randn(64, 64, generator=random))
        start = value.detach().clone()
        optimizer = build_optimizer([{"params": [value], "lr": 0.01}], OptimizerConfig(name=name))
        for _ in range(5):
            value.grad = torch.randn(64, 64, generator=random)
            optimizer.step()
        ways.append(value.detach() - start)
        tensors = [state for state in optimizer.state[value].values() if torch.is_tensor(state)]
        kept = {state.dtype for state in tensors if state.numel() == 4096}
        assert kept == {torch.uint8 if name == "adamw8bit" else torch.float32}
    assert (ways[1] - ways[0]).norm() < 0.1 * ways[0].norm()


@pytest.mark.parametrize("name", ["adafactor", pytest.param("adamw8bit", marks=EIGHT_BIT)])
def test_other_optimisers_train_and_resume(make: Make, name: str) -> None:
    trainer = make(optimizer={"name": name, "unet_lr": 0.05, "text_lr": 0.01})
    steps(trainer, 2)
    other = make(optimizer={"name": name, "unet_lr": 0.05, "text_lr": 0.01})
    other.load(copy.deepcopy(trainer.state()))
    assert steps(trainer, 2) == steps(other, 2)
    assert furthest(weights(trainer), weights(other)) == 0


def test_eight_bit_adam_without_its_package_names_the_extra(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.optimizers.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"adamw8bit needs bitsandbytes: pip install .*eight-bit.*adafactor"):
        make(optimizer={"name": "adamw8bit"})


def test_out_of_memory_names_what_needs_less(make: Make) -> None:
    trainer = make()
    batches = trainer._batches(0)
    # A real allocation that no machine grants: four samples of sixteen million latent cells a side.
    huge = batches[0].latents[..., :1, :1].expand(-1, -1, 2**24, 2**24)
    trainer._batches = lambda step: [replace(batches[0], latents=huge)]
    with pytest.raises(UserError, match=r"out of memory at step 0, 4 samples of 16777216x16777216 latents") as told:
        trainer.advance()
    for knob in ("micro_batch = 2", "gradient_checkpointing", "bf16_weights", "adafactor", "adamw8bit", "ema = 0"):
        assert knob in str(told.value)
