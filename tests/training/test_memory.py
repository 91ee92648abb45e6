"""Bytes of training: the specification's figures for the real SDXL, and what a real step of each optimiser holds."""

from typing import Any

import pytest
import torch

from training.memory import GIB, state_bytes
from training.optimizers import build_optimizer
from training.sdxl import sdxl
from training.train_config import OptimizerConfig


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return sdxl()


@pytest.mark.parametrize(
    ("names", "precision", "gib"),
    [
        (("unet",), "float32", 38.3),
        (("unet", "text_encoder", "text_encoder_2"), "float32", 50.4),
        (("unet",), "bf16_weights", 19.1),
    ],
)
def test_adamw_of_the_real_sdxl(parts: dict[str, Any], names: tuple[str, ...], precision: str, gib: float) -> None:
    found = state_bytes([parts[name] for name in names], OptimizerConfig(ema=0), precision)
    assert found / GIB == pytest.approx(gib, abs=0.05)


def test_averages_take_four_bytes_more(parts: dict[str, Any]) -> None:
    without, with_them = (state_bytes([parts["unet"]], OptimizerConfig(ema=ema), "float32") for ema in (0, 0.999))
    assert with_them - without == 4 * 2_567_463_684


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
@pytest.mark.parametrize("precision", ["float32", "bf16_weights"])
def test_a_real_step_holds_as_much(name: str, precision: str) -> None:
    dtype = torch.bfloat16 if precision == "bf16_weights" else torch.float32
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.Linear(7, 11)).to(dtype)
    config = OptimizerConfig(name=name, ema=0)
    optimizer = build_optimizer([{"params": list(module.parameters()), "lr": 1e-3}], config)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    held = [tensor for one in module.parameters() for tensor in (one, one.grad)]
    states = [value for state in optimizer.state.values() for name, value in state.items() if name != "step"]
    held += [value for value in states if isinstance(value, torch.Tensor)]
    assert state_bytes([module], config, precision) == sum(tensor.nbytes for tensor in held if tensor is not None)
