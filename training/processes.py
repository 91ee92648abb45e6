"""One process among those that train together; by itself where there is one (`training.distributed` for several)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch

from training.denoiser import Denoiser


class Processes(Protocol):
    """What the trainer asks of the processes that train together."""

    rank: int
    world: int
    device: torch.device

    def wrap(self, denoiser: Denoiser) -> torch.nn.Module:
        """What is called in the denoiser's place; parameters are those of the denoiser afterwards."""

    def accumulating(self, last: bool) -> AbstractContextManager[None]:
        """Around the backward pass of one micro-batch; gradients are exchanged at the ``last`` one."""

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""

    def gathered(self, values: list[int]) -> list[int]:
        """The values of all processes, in the order of their ranks."""

    def wait(self) -> None:
        """Until all processes are here."""

    def whole(self, denoiser: Denoiser, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """``weights`` and ``optimizer`` as one process would hold them."""

    def restore(self, denoiser: Denoiser, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
        """Take up what `whole` gave."""


class Alone:
    """A single process: nothing to wrap, exchange or wait for."""

    rank, world = 0, 1

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def wrap(self, denoiser: Denoiser) -> torch.nn.Module:
        """The denoiser itself."""
        return denoiser

    def accumulating(self, last: bool) -> AbstractContextManager[None]:
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

    def whole(self, denoiser: Denoiser, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Both state dicts."""
        return {"weights": denoiser.state_dict(), "optimizer": optimizer.state_dict()}

    def restore(self, denoiser: Denoiser, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
        """Load both state dicts."""
        denoiser.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
