"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) beside the layers of a checkpoint, whose own weights stay.

``layer(x) + alpha / rank * up(down(x))``: a submodule ``lora`` of the layer and a hook that adds its answer, so that
the layer's class and weights are untouched. docs/lora.md says which layers there are, and why no package does it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from generation.loading import Parts
from generation.lora_names import kohya_name
from training.denoiser import TRAINED
from training.errors import UserError
from training.lora_config import TARGETS, LoraConfig
from training.noise import generator


class Adapter(nn.Module):
    """The two matrices of one layer: ``down`` (rank, in, ...) starts random, ``up`` (out, rank, ...) at zero."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, config: LoraConfig, random: torch.Generator) -> None:
        """As if there were no adapter: ``down`` from U(-1/sqrt(in), 1/sqrt(in)), ``up`` zero."""
        super().__init__()
        self.on = True
        self._scale = config.effective_alpha / config.rank
        self.down: nn.Linear | nn.Conv2d
        self.up: nn.Linear | nn.Conv2d
        if isinstance(layer, nn.Conv2d):
            shape: dict[str, Any] = {name: getattr(layer, name) for name in ("kernel_size", "stride", "padding")}
            self.down = nn.Conv2d(layer.in_channels, config.rank, bias=False, **shape)
            self.up = nn.Conv2d(config.rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, config.rank, bias=False)
            self.up = nn.Linear(config.rank, layer.out_features, bias=False)
        bound = 1 / math.sqrt(self.down.weight[0].numel())
        with torch.no_grad():
            self.down.weight.uniform_(-bound, bound, generator=random)
            self.up.weight.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What is added to the layer's own answer to ``x``."""
        change: torch.Tensor = self._scale * self.up(self.down(x.to(self.down.weight.dtype)))
        return change


def _add(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    """The hook of an adapted layer."""
    adapter = layer.get_submodule("lora")
    assert isinstance(adapter, Adapter)
    return output + adapter(inputs[0]).to(output.dtype) if adapter.on else output


class Adapters:
    """All adapters of a checkpoint; its own weights ask for no gradient from now on."""

    def __init__(self, parts: Parts, config: LoraConfig, seed: int) -> None:
        """Attach them. Raises UserError when a target names no layer of this architecture."""
        self.config = config
        self._configs: dict[str, Mapping[str, Any]] = {}
        for component in TRAINED:
            module = getattr(parts, component).requires_grad_(False)
            self._configs[component] = _config(module)
        found = dict(layer for target in config.targets for layer in _layers(parts, target))
        self._adapters: dict[tuple[str, str], Adapter] = {}
        for number, (name, layer) in enumerate(found.items()):
            adapter = Adapter(layer, config, generator(seed, "lora", number)).to(parts.device)
            layer.add_module("lora", adapter)
            layer.register_forward_hook(_add)
            self._adapters[name] = adapter

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the block the checkpoint answers as if it had no adapters, bit for bit."""
        try:
            self._turn(on=False)
            yield
        finally:
            self._turn(on=True)

    def _turn(self, *, on: bool) -> None:
        for adapter in self._adapters.values():
            adapter.on = on

    def parameters(self) -> list[nn.Parameter]:
        """Everything that learns."""
        return [each for adapter in self._adapters.values() for each in adapter.parameters()]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Copies under kohya's names: ``….lora_down.weight``, ``….lora_up.weight`` and ``….alpha`` of every layer."""
        found: dict[str, torch.Tensor] = {}
        for (component, name), adapter in self._adapters.items():
            key = kohya_name(component, name, self._configs[component])
            found[f"{key}.lora_down.weight"] = adapter.down.weight.detach().cpu().clone()
            found[f"{key}.lora_up.weight"] = adapter.up.weight.detach().cpu().clone()
            found[f"{key}.alpha"] = torch.tensor(self.config.effective_alpha)
        return found

    def state(self) -> dict[str, torch.Tensor]:
        """The adapters' weights by their layers' names."""
        return {
            f"{component}.{name}.{part}": value
            for (component, name), adapter in self._adapters.items()
            for part, value in adapter.state_dict().items()
        }

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up `state`."""
        with torch.no_grad():
            for name, value in self.state().items():
                value.copy_(state[name])


def adapters_in(module: nn.Module) -> list[Adapter]:
    """Those attached to layers of ``module``."""
    return [each for each in module.modules() if isinstance(each, Adapter)]


def _layers(parts: Parts, target: str) -> Iterator[tuple[tuple[str, str], nn.Linear | nn.Conv2d]]:
    components, ending = TARGETS[target]
    found = [
        ((component, name), layer)
        for component in components
        for name, layer in getattr(parts, component).named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and re.search(f"{ending}$", f".{name}")
    ]
    if not found:
        raise UserError(f"the target {target!r} names no layer of this checkpoint; known targets: {', '.join(TARGETS)}")
    yield from found


def _config(module: Any) -> Mapping[str, Any]:
    """A component's config as plain values, as its ``config.json`` has them."""
    return module.config.to_dict() if hasattr(module.config, "to_dict") else dict(module.config)
