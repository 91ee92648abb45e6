"""One process among those that train together; by itself where there is one (`training.distributed` for several)."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pkgutil import resolve_name
from typing import Any, Protocol

import torch

from generation.loading import Parts
from training.denoiser import Denoiser


class Processes(Protocol):
    """What the trainer asks of the processes that train together."""

    rank: int
    world: int
    shards: bool
    device: torch.device

    def wrap(self, denoiser: Denoiser) -> torch.nn.Module:
        """What is called in the denoiser's place; parameters are those of the denoiser afterwards."""

    def accumulating(self, denoiser: Denoiser, last: bool) -> AbstractContextManager[None]:
        """Around the passes of one micro-batch; gradients are exchanged at the ``last`` one."""

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""

    def gathered(self, values: list[int]) -> list[int]:
        """The values of all processes, in the order of their ranks."""

    def wait(self) -> None:
        """Until all processes are here."""

    def norm(self, value: torch.Tensor) -> float:
        """A norm over all gradients as a number."""

    def whole(self, state: Any) -> Any:
        """A nested state as one process would hold it; all processes call this at once."""

    def share(self, value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """What this process holds of ``value``, as it holds ``like``."""

    def saved(self, parts: Parts, denoiser: Denoiser) -> AbstractContextManager[Parts]:
        """Parts that the leading process can write; all processes call this at once."""


class Alone:
    """A single process: nothing to cut, exchange or wait for."""

    rank, world, shards = 0, 1, False

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def wrap(self, denoiser: Denoiser) -> torch.nn.Module:
        """The denoiser itself."""
        return denoiser

    def accumulating(self, denoiser: Denoiser, last: bool) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()

    def any(self, flag: bool) -> bool:
        """Whether it is so."""
        return flag

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The values themselves."""
        return values

    def gathered(self, values: list[int]) -> list[int]:
        """The values themselves."""
        return values

    def wait(self) -> None:
        """Nobody else to wait for."""

    def norm(self, value: torch.Tensor) -> float:
        """The number."""
        return value.item()

    def whole(self, state: Any) -> Any:
        """The state itself."""
        return state

    def share(self, value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """The value itself."""
        return value

    def saved(self, parts: Parts, denoiser: Denoiser) -> AbstractContextManager[Parts]:
        """The parts themselves."""
        return nullcontext(parts)


def join(device: str, *, shard: bool = False) -> Processes:
    """Alone, or one of several where a launcher says so in the environment; only then is their code loaded.

    ``accelerate launch --use_fsdp`` asks for ``shard`` as well.

    Raises:
        UserError: the processes do not find each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Alone(device)
    shard = shard or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    joined: Processes = resolve_name("training.distributed:Several")(device, shard=shard)
    return joined
