"""Exponential moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Ema:
    """The average of a module's parameters: ``average = decay * average + (1 - decay) * value``.

    The first updates use the smaller decay (1 + n) / (10 + n), so that the random start does not linger.
    """

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.averages = {name: value.detach().clone() for name, value in module.named_parameters()}

    def update(self, module: torch.nn.Module) -> None:
        """Take the module's present parameters into the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        with torch.no_grad():
            for name, value in module.named_parameters():
                self.averages[name].lerp_(value, 1 - decay)

    @contextmanager
    def applied(self, module: torch.nn.Module) -> Iterator[None]:
        """Within the block the module holds the averages; afterwards its own values again."""
        own = {name: value.detach().clone() for name, value in module.named_parameters()}
        self.copy_to(module)
        try:
            yield
        finally:
            self._copy(own, module)

    def copy_to(self, module: torch.nn.Module) -> None:
        """Set the module's parameters to the averages."""
        self._copy(self.averages, module)

    @staticmethod
    def _copy(values: dict[str, torch.Tensor], module: torch.nn.Module) -> None:
        with torch.no_grad():
            for name, value in module.named_parameters():
                value.copy_(values[name])

    def state(self) -> dict[str, object]:
        """Everything needed to go on."""
        return {"updates": self.updates, "averages": self.averages}

    def load(self, state: dict[str, object]) -> None:
        """Go on from ``state()``."""
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        self.averages = dict(state["averages"])  # type: ignore[call-overload]
