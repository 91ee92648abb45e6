"""Low-rank adaptations (Hu et al. 2021): read a file in kohya's or peft's naming and add it to a checkpoint's weights.

``W + scale * alpha / rank * up @ down``. It fits any base whose layers have these shapes; a key that belongs to no
layer, a misfit and a kind other than plain LoRA (LoHa, LoKr, DoRA) are refused by name: half a LoRA is another LoRA.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from generation.checkpoint import read_json
from generation.errors import CheckpointError
from generation.keymap import UNET, places
from generation.lora_file import ALPHA, DOWN, UP, LoraRef, read_lora_info

KOHYA = {"lora_unet_": "unet", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2", "lora_te_": "text_encoder"}
PEFT = {
    "unet.": "unet",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "base_model.model.": "unet",
}


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


def read_lora(ref: LoraRef) -> Lora:
    """Raises CheckpointError naming the file and the key for anything that is not a whole, finite, plain LoRA."""
    info = read_lora_info(ref.path)
    try:
        with safe_open(ref.path, framework="pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{ref.path} cannot be read ({error}); copy it again") from error
    downs, ups, alphas = (_ending(tensors, endings) for endings in (DOWN, UP, ALPHA))
    for name in sorted({*downs, *ups, *alphas}):
        if name not in downs or name not in ups:
            raise CheckpointError(f"{ref.path}: layer {name} lacks its {'down' if name not in downs else 'up'} tensor")
    alpha_of = _said_alpha(ref.path, info.metadata)
    layers = {
        name: Layer(down, ups[name], float(alphas[name]) if name in alphas else alpha_of(name, down.shape[0]))
        for name, down in downs.items()
    }
    return Lora(ref.path, ref.scale, info.sha256, layers)


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
    table = _names(weights, configs)
    changed: dict[str, dict[str, torch.Tensor]] = {}
    for lora in loras:
        for key, layer in lora.layers.items():
            component, name = _find(lora.path, key, table)
            before = changed.get(component, {}).get(name, weights[component][name]).float()
            changed.setdefault(component, {})[name] = before + _delta(lora, key, layer, before.shape)
    return changed


def kohya_name(component: str, layer: str, config: Mapping[str, Any]) -> str:
    """How kohya's trainer spells a layer of ours: by the single file's names for the UNet, flat throughout.

    Args:
        component: ``unet``, ``text_encoder`` or ``text_encoder_2``.
        layer: dotted name without ``.weight``.
        config: the component's ``config.json``.
    """
    if component == "unet":
        named = places(component, [f"{layer}.weight"], config)[f"{layer}.weight"].name
        spelt = named.removeprefix(UNET).removesuffix(".weight")
    else:
        spelt = f"text_model.{layer.removeprefix('text_model.')}"
    prefix = next(prefix for prefix, meant in KOHYA.items() if meant == component)
    return prefix + spelt.replace(".", "_")


def _delta(lora: Lora, key: str, layer: Layer, shape: torch.Size) -> torch.Tensor:
    rank = layer.down.shape[0]
    if layer.up.shape[1] != rank:
        raise CheckpointError(f"{lora.path}: {key} has rank {rank} below and {layer.up.shape[1]} above")
    product = layer.up.flatten(1) @ layer.down.flatten(1)
    if product.numel() != shape.numel() or product.shape[0] != shape[0]:
        raise CheckpointError(f"{lora.path}: {key} gives {list(product.shape)}, the layer has {list(shape)}")
    delta = product.view(shape) * (lora.scale * layer.alpha / rank)
    if not bool(torch.isfinite(delta).all()):
        raise CheckpointError(f"{lora.path}: {key} has NaN or infinity in it")
    return delta


def _ending(tensors: Mapping[str, torch.Tensor], endings: tuple[str, ...]) -> dict[str, torch.Tensor]:
    return {
        key[: -len(ending)]: tensor for key, tensor in tensors.items() for ending in endings if key.endswith(ending)
    }


def _said_alpha(path: Path, metadata: Mapping[str, str]) -> Any:
    """Where no alpha tensor is stored: peft's settings, in the header or beside the file; else alpha is the rank."""
    settings: dict[str, Any] = {}
    if "lora_adapter_metadata" in metadata:
        settings = json.loads(metadata["lora_adapter_metadata"])
    elif (path.parent / "adapter_config.json").is_file():
        settings = {f"base_model.model.{k}": v for k, v in read_json(path.parent / "adapter_config.json").items()}

    def alpha(name: str, rank: int) -> float:
        prefix = next((prefix for prefix in PEFT if name.startswith(prefix)), "")
        if settings.get(f"{prefix}use_rslora") or settings.get(f"{prefix}use_dora"):
            raise CheckpointError(f"{path}: {name} is not of a plain LoRA (use_rslora or use_dora)")
        return float(settings.get(f"{prefix}lora_alpha", rank))

    return alpha


def _names(
    weights: Mapping[str, Mapping[str, torch.Tensor]], configs: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], str]:
    """Our name by (component, name as a LoRA file spells it): dotted or flat, ours or the single file's."""
    table: dict[tuple[str, str], str] = {}
    for component, tensors in weights.items():
        own = [name for name in tensors if name.endswith(".weight") and tensors[name].dim() > 1]
        spelt = {name: [name, f"text_model.{name.removeprefix('text_model.')}"] for name in own}
        if component == "unet":
            found = places(component, own, configs[component])
            spelt = {name: [name, found[name].name.removeprefix(UNET)] for name in own}
        for name, spellings in spelt.items():
            for spelling in spellings:
                bare = spelling.removesuffix(".weight")
                table[component, bare] = table[component, bare.replace(".", "_")] = name
    return table


def _find(path: Path, key: str, table: Mapping[tuple[str, str], str]) -> tuple[str, str]:
    for prefix, component in {**KOHYA, **PEFT}.items():
        name = table.get((component, key.removeprefix(prefix))) if key.startswith(prefix) else None
        if name is not None:
            return component, name
    raise CheckpointError(f"{path}: {key} belongs to no layer of this checkpoint; it was made for another architecture")
