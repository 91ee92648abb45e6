"""Low-rank adaptations (Hu et al. 2021): read a file in kohya's or peft's naming and add it to a checkpoint's weights.

``W + scale * alpha / rank * up @ down``. It fits any base whose layers have these shapes; a key that belongs to no
layer, a misfit and a kind other than plain LoRA (LoHa, LoKr, DoRA) are refused by name: half a LoRA is another LoRA.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from generation.errors import CheckpointError
from generation.lora_file import ALPHA, DOWN, UP, LoraInfo, LoraRef, read_lora_info
from generation.lora_names import find_layers, layer_table
from generation.lora_settings import Settings


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """One adapted layer as it is in the file: ``down`` (r, in, ...), ``up`` (out, r, ...).

    ``alpha`` is the file's tensor, what peft's settings say, or None where nothing is said.
    """

    down: torch.Tensor
    up: torch.Tensor
    alpha: torch.Tensor | float | None

    @property
    def rank(self) -> int:
        """Rows of ``down``."""
        return int(self.down.shape[0])

    @property
    def strength(self) -> float:
        """Alpha as a number: the rank where nothing is said."""
        return float(self.rank if self.alpha is None else self.alpha)


@dataclass(frozen=True, slots=True)
class Layer:
    """One adapted layer: ``down`` (r, in, ...), ``up`` (out, r, ...), and alpha."""

    down: torch.Tensor
    up: torch.Tensor
    alpha: float


@dataclass(frozen=True, slots=True)
class Lora:
    """A file's layers by the name they have there, such as ``lora_unet_mid_block_...`` or ``unet.mid_block...``."""

    path: Path
    scale: float
    sha256: str
    layers: Mapping[str, Layer]

    @property
    def record(self) -> dict[str, Any]:
        """What a Manifest says of it."""
        return {"sha256": self.sha256, "scale": self.scale}


def read_layers(path: Path) -> tuple[LoraInfo, dict[str, StoredLayer]]:
    """A file's header, and its layers in their stored dtype by the name they have there.

    Raises CheckpointError naming the file and the key for anything that is not a whole, finite, plain LoRA.
    """
    info = read_lora_info(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy it again") from error
    downs, ups, alphas = (_ending(path, tensors, endings) for endings in (DOWN, UP, ALPHA))
    for name in sorted({*downs, *ups, *alphas}):
        if name not in downs or name not in ups:
            raise CheckpointError(f"{path}: layer {name} lacks its {'down' if name not in downs else 'up'} tensor")
        _check(path, name, downs[name], ups[name], alphas.get(name))
    settings = Settings(path, info.metadata)
    return info, {
        name: StoredLayer(down, ups[name], alphas[name] if name in alphas else settings.alpha(name))
        for name, down in downs.items()
    }


def read_lora(ref: LoraRef) -> Lora:
    """Raises CheckpointError as `read_layers` does."""
    info, layers = read_layers(ref.path)
    known = {name: Layer(one.down.float(), one.up.float(), one.strength) for name, one in layers.items()}
    return Lora(ref.path, ref.scale, info.sha256, known)


def merge(
    loras: Iterable[Lora],
    weights: Mapping[str, Mapping[str, torch.Tensor]],
    configs: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, torch.Tensor]]:
    """New tensors, in float32, by component and name: only those that a LoRA changes.

    Args:
        weights: tensors by component and our name.
        configs: each component's ``config.json``.

    Raises CheckpointError naming a LoRA key that fits no layer.
    """
    table = layer_table(weights, configs)
    changed: dict[str, dict[str, torch.Tensor]] = {}
    for lora in loras:
        for key, (component, name) in find_layers(lora.path, lora.layers, table).items():
            layer = lora.layers[key]
            before = changed.get(component, {}).get(name, weights[component][name]).float()
            changed.setdefault(component, {})[name] = before + _delta(lora, key, layer, before.shape)
    return changed


def check_fit(path: Path, key: str, down: torch.Tensor, up: torch.Tensor, shape: torch.Size) -> None:
    """Raise CheckpointError naming the key unless ``up @ down`` has the layer's shape."""
    size = [up.shape[0], down[0].numel()]
    if size[0] != shape[0] or size[0] * size[1] != shape.numel():
        raise CheckpointError(f"{path}: {key} gives {size}, the layer has {list(shape)}")


def _delta(lora: Lora, key: str, layer: Layer, shape: torch.Size) -> torch.Tensor:
    check_fit(lora.path, key, layer.down, layer.up, shape)
    product = layer.up.flatten(1) @ layer.down.flatten(1)
    delta = product.view(shape) * (lora.scale * layer.alpha / layer.down.shape[0])
    if not bool(torch.isfinite(delta).all()):
        raise CheckpointError(f"{lora.path}: {key} has NaN or infinity in it")
    return delta


def _check(path: Path, key: str, down: torch.Tensor, up: torch.Tensor, alpha: torch.Tensor | None) -> None:
    """The file's own part of what can be wrong with a layer."""
    below, above = (down.shape[0] if down.dim() > 1 else 0), (up.shape[1] if up.dim() > 1 else 0)
    if below != above or not below:
        raise CheckpointError(f"{path}: {key} has rank {below} below and {above} above")
    if alpha is not None and alpha.numel() != 1:
        raise CheckpointError(f"{path}: the alpha of {key} has {alpha.numel()} numbers, not one")
    if not all(bool(torch.isfinite(one.float()).all()) for one in (down, up, alpha) if one is not None):
        raise CheckpointError(f"{path}: {key} has NaN or infinity in it")


def _ending(path: Path, tensors: Mapping[str, torch.Tensor], endings: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """By layer. Raises CheckpointError for two tensors of one kind, such as ``x.lora_A`` and ``x.lora_down``."""
    found: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        layer = next((key.removesuffix(ending) for ending in endings if key.endswith(ending)), None)
        if layer in found:
            raise CheckpointError(f"{path}: {key} is there under two spellings; keep one")
        if layer is not None:
            found[layer] = tensor
    return found
