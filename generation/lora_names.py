"""How LoRA files spell layers: kohya's trainer flat, peft dotted. No torch here.

A table maps every spelling that is read to our own tensor names; `kohya_name` and `peft_name` are the ones written.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from generation.errors import CheckpointError
from generation.families import SDXL, Family
from generation.keymap import UNET, places

KOHYA = {"lora_unet_": "unet", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2", "lora_te_": "text_encoder"}
PEFT = {
    "unet.": "unet",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "base_model.model.": "unet",
}
NAMINGS = ("kohya", "peft")
# The one adapted layer of a text encoder that is outside its ``text_model``.
PROJECTION = "text_projection"
Table = Mapping[tuple[str, str], str]


def layer_table(weights: Mapping[str, Mapping[str, Any]], configs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Our tensor name by (component, name as a LoRA file spells it): dotted or flat, ours or the single file's.

    Args:
        weights: tensors, of which only the number of dimensions counts, by component and our name.
        configs: each component's ``config.json``.
    """
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


def find_layers(path: Path, keys: Iterable[str], table: Table) -> dict[str, tuple[str, str]]:
    """Component and our tensor name by a file's names of layers.

    Raises CheckpointError naming a key that fits no layer, or is the second one of a layer.
    """
    found: dict[str, tuple[str, str]] = {}
    taken: dict[tuple[str, str], str] = {}
    for key in keys:
        found[key] = _find(path, key, table)
        other = taken.setdefault(found[key], key)
        if other != key:
            raise CheckpointError(f"{path}: {other} and {key} are the same layer under two spellings; keep one")
    return found


def kohya_name(component: str, layer: str, config: Mapping[str, Any], family: Family = SDXL) -> str:
    """How kohya's trainer spells a layer of ours, flat throughout.

    SDXL's UNet has the single file's names there, that of Stable Diffusion 1.5 those of diffusers.

    Args:
        component: ``unet``, ``text_encoder`` or ``text_encoder_2``.
        layer: dotted name without ``.weight``.
        config: the component's ``config.json``.
    """
    two = len(family.text_encoders) > 1
    spelt = _in_text_model(layer)
    if component == "unet":
        spelt = places(component, [f"{layer}.weight"], config)[f"{layer}.weight"].name if two else layer
        spelt = spelt.removeprefix(UNET).removesuffix(".weight")
    prefixes = {meant: prefix for prefix, meant in KOHYA.items() if two == (prefix != "lora_te_") or meant == "unet"}
    return prefixes[component] + spelt.replace(".", "_")


def peft_name(component: str, layer: str) -> str:
    """How diffusers spells a layer of ours in a file of peft's kind; arguments as for `kohya_name`."""
    return f"{component}.{layer if component == 'unet' else _in_text_model(layer)}"


def naming_of(key: str) -> str:
    """``kohya`` or ``peft``, by how a key begins."""
    return "kohya" if key.startswith(tuple(KOHYA)) else "peft"


def _in_text_model(layer: str) -> str:
    return layer if layer == PROJECTION else f"text_model.{layer.removeprefix('text_model.')}"


def _find(path: Path, key: str, table: Table) -> tuple[str, str]:
    for prefix, component in {**KOHYA, **PEFT}.items():
        name = table.get((component, key.removeprefix(prefix))) if key.startswith(prefix) else None
        if name is not None:
            return component, name
    raise CheckpointError(f"{path}: {key} belongs to no layer of this checkpoint; it was made for another architecture")
