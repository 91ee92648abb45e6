"""Exponential moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Ema:
    """The average of a module's parameters: ``average = decay * average + (1 - decay) * value``.

    The first updates use the smaller decay (1 + n) / (10 + n), so that the random start does not linger. Averages are
    float32 whatever the parameters are: bfloat16 would round a small step away.
    """

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        """Of the parameters that learn; with a decay of 0 there is nothing to keep, the average is the value."""
        self.decay = decay
        self.updates = 0
        learning = _learning(module) if decay else {}
        self.averages = {name: value.detach().float().clone() for name, value in learning.items()}

    def update(self, module: torch.nn.Module) -> None:
        """Take the module's present parameters into the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        with torch.no_grad():
            for name, value in _learning(module).items() if self.averages else ():
                self.averages[name].lerp_(value.float(), 1 - decay)

    @contextmanager
    def applied(self, module: torch.nn.Module) -> Iterator[None]:
        """Within the block the module holds the averages; afterwards its own values again."""
        own = {name: value.detach().clone() for name, value in _learning(module).items() if name in self.averages}
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
                if name in values:
                    value.copy_(values[name])

    def state(self) -> dict[str, object]:
        """Everything needed to go on."""
        return {"updates": self.updates, "averages": self.averages}

    def load(self, state: dict[str, object]) -> None:
        """Go on from ``state()``."""
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        self.averages = dict(state["averages"])  # type: ignore[call-overload]


def _learning(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in module.named_parameters() if value.requires_grad}
