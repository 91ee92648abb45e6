"""What training holds besides activations, and what needs less where it is too much (docs/throughput.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

from training.errors import UserError
from training.train_config import OptimizerConfig

GIB = 2**30
WIDTH = {"float32": 4, "bf16_autocast": 4, "bf16_weights": 2}  # bytes of a weight, of its gradient, and of a moment
AVERAGE = 4  # averages are float32 always
BLOCK = 256  # numbers of bitsandbytes' 8-bit moments that share a float32 scale

LESS = (
    'precision = "bf16_autocast" or "bf16_weights", optimizer.name = "adafactor" or "adamw8bit", optimizer.ema = 0, '
    "optimizer.text_lr = 0, smaller bucket sizes, or more processes (docs/distributed.md)"
)


@contextmanager
def enough_memory(doing: Callable[[], str], less: str = LESS) -> Iterator[None]:
    """Within the block, a device or processor that runs out of memory raises UserError: when, and what needs less."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(f"out of memory {doing()}. Less is needed with {less}") from error


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def state_bytes(
    modules: Iterable[torch.nn.Module], optimizer: OptimizerConfig, precision: str, *, gradients: bool = True
) -> int:
    """Bytes of all learning parameters of ``modules``, which may lie on the meta device, and of what goes with them.

    Without ``gradients`` it is what a saved state takes.
    """
    width = WIDTH[precision]
    total = 0.0
    for parameter in (one for module in modules for one in module.parameters() if one.requires_grad):
        count = parameter.numel()
        total += (1 + gradients) * count * width + _moments(parameter.shape, optimizer.name, width)
        total += count * AVERAGE if optimizer.ema else 0
    return round(total)


def _moments(shape: torch.Size, name: str, width: int) -> float:
    """Bytes of the optimiser's numbers for one parameter."""
    count = shape.numel()
    if name == "adamw":
        return 2 * count * width
    if name == "adamw8bit":
        return 2 * count * (1 + 4 / BLOCK)
    if len(shape) < 2:  # Adafactor keeps rows and columns of a matrix, and all of a vector
        return count * width
    return (count / shape[-1] + count / shape[-2]) * width
