"""A LoRA file from kohya's naming into peft's and back. Names change, matrices keep dtype and bytes.

What is written is read back by `generation.lora` to the same layers; there and back gives equal tensors (docs/lora.md).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from generation.checkpoint import read_json, read_layout
from generation.errors import CheckpointError
from generation.families import Family
from generation.files import write_bytes
from generation.loading import build
from generation.lora import StoredLayer, check_fit, read_layers
from generation.lora_names import NAMINGS, find_layers, kohya_name, layer_table, peft_name
from generation.lora_settings import HEADER, settings_text

# In a file of peft's kind: where a kohya file's alpha was not the scalar that `_scalar` gives.
ALPHAS = "illustration_arena.kohya_alphas"
# Hashes of all that follows a file's header; the last one, of a part of it, has no meaning in another order of names.
BYTE_HASHES = {"modelspec.hash_sha256": "0x", "sshs_model_hash": ""}
LEFT_OUT = (HEADER, ALPHAS, "sshs_legacy_hash")
WIDER = (torch.float32, torch.float64)
KINDS = {
    str(one).removeprefix("torch."): one for one in (torch.float16, torch.bfloat16, *WIDER, torch.int32, torch.int64)
}
Layers = dict[tuple[str, str], StoredLayer]
Odd = dict[str, tuple[torch.dtype, list[int]] | None]
"""By peft's name of a layer: dtype and shape of its alpha in the kohya file, None where it had none."""


def convert_lora(path: Path, layout: Path, naming: str, out: Path) -> Path:
    """Write the LoRA at ``path`` under the names of ``naming``, one of `NAMINGS`.

    Args:
        layout: a diffusers folder of the architecture it was made for, with or without weights; its configs say which
            layers there are.
        out: a new .safetensors file.

    Raises CheckpointError naming the key of what is not a whole LoRA of that architecture, and when ``out`` is there
    already; ValueError for another naming. Nothing is written then.
    """
    if naming not in NAMINGS:
        raise ValueError(f"naming {naming!r} is unknown; known are {', '.join(NAMINGS)}")
    if out.exists():
        raise CheckpointError(f"{out} is there already; name another place or remove it")
    family = read_layout(layout)
    info, layers = read_layers(path)
    own = _own_layers(path, layers, layout, family)
    header = {key: text for key, text in info.metadata.items() if key not in LEFT_OUT}
    if naming == "kohya":
        configs = {name: read_json(layout / name / "config.json") for name in family.adapted}
        tensors, said = _kohya(own, configs, family, _odd_alphas(path, info.metadata)), dict[str, str]()
    else:
        tensors, said = _peft(own)
    write_bytes(out, _with_hashes(tensors, {**header, **said}))
    return out


def _own_layers(path: Path, layers: Mapping[str, StoredLayer], layout: Path, family: Family) -> Layers:
    """By component and our layer name, each of them found and of the layer's shape."""
    weights = {name: build(name, layout / name).state_dict() for name in family.adapted}
    configs = {name: read_json(layout / name / "config.json") for name in family.adapted}
    found = find_layers(path, layers, layer_table(weights, configs))
    for key, (component, name) in found.items():
        check_fit(path, key, layers[key].down, layers[key].up, weights[component][name].shape)
    return {(component, name.removesuffix(".weight")): layers[key] for key, (component, name) in found.items()}


def _kohya(
    layers: Layers, configs: Mapping[str, Mapping[str, object]], family: Family, odd: Odd
) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for (component, name), layer in layers.items():
        key = kohya_name(component, name, configs[component], family)
        tensors |= {f"{key}.lora_down.weight": layer.down, f"{key}.lora_up.weight": layer.up}
        alpha = _alpha(layer, peft_name(component, name), odd)
        if alpha is not None:
            tensors[f"{key}.alpha"] = alpha
    return tensors


def _peft(layers: Layers) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors, and the header's texts for what they cannot say."""
    tensors: dict[str, torch.Tensor] = {}
    odd: dict[str, list[object] | None] = {}
    known: dict[str, dict[str, tuple[int, float]]] = {}
    for (component, name), layer in layers.items():
        key = peft_name(component, name)
        tensors |= {f"{key}.lora_A.weight": layer.down, f"{key}.lora_B.weight": layer.up}
        known.setdefault(component, {})[name.removeprefix("text_model.")] = layer.rank, layer.strength
        alpha, plain = layer.alpha, _scalar(layer.strength, layer.down.dtype)
        if alpha is None:
            odd[key] = None
        elif isinstance(alpha, torch.Tensor) and (alpha.dtype, alpha.shape) != (plain.dtype, plain.shape):
            odd[key] = [str(alpha.dtype).removeprefix("torch."), list(alpha.shape)]
    said = {HEADER: settings_text(known)}
    return tensors, said | ({ALPHAS: json.dumps(odd, sort_keys=True)} if odd else {})


def _alpha(layer: StoredLayer, key: str, odd: Odd) -> torch.Tensor | None:
    """The tensor that kohya's files have: as it was before it became peft's, where the header says so."""
    if layer.alpha is None or isinstance(layer.alpha, torch.Tensor):
        return layer.alpha
    plain = _scalar(layer.strength, layer.down.dtype)
    if key not in odd:
        return plain
    said = odd[key]
    if said is None:
        return None if layer.strength == layer.rank else plain
    before = torch.full(said[1], layer.strength, dtype=said[0])
    return before if float(before) == layer.strength else plain


def _scalar(value: float, dtype: torch.dtype) -> torch.Tensor:
    """The number in the matrices' dtype, or in a wider one where that cannot hold it."""
    made = (torch.tensor(value, dtype=one) for one in (dtype, *WIDER))
    return next(one for one in made if float(one) == value)


def _odd_alphas(path: Path, metadata: Mapping[str, str]) -> Odd:
    """What `_peft` noted. Raises CheckpointError where that was edited into something else."""
    try:
        return {key: said and _kind(*said) for key, said in json.loads(metadata.get(ALPHAS, "{}")).items()}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(f"{path}: {ALPHAS} in its header cannot be read ({error!r}); restore the file") from error


def _kind(dtype: str, shape: list[int]) -> tuple[torch.dtype, list[int]]:
    if shape != [1] * len(shape):
        raise ValueError(f"an alpha has one number, not the shape {shape}")
    return KINDS[dtype], shape


def _with_hashes(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> bytes:
    """The file; where its header has hashes of the tensors' bytes, those of the new order."""
    file = save(tensors, metadata=header or None)
    digest = hashlib.sha256(file[8 + int.from_bytes(file[:8], "little") :]).hexdigest()
    known = {key: prefix + digest for key, prefix in BYTE_HASHES.items() if key in header}
    return save(tensors, metadata={**header, **known}) if known else file
