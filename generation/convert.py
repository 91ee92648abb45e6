"""Checkpoints from one form into another: single file, diffusers folder, and, only here and only on request, pickles.

Nothing is converted that would not load: the source is read by the strict loader, and the result is complete or not
there at all. Tensors keep their stored dtype and bytes, so going there and back gives the same tensor hash.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from generation.checkpoint import INDEX_FILE, PICKLED_SUFFIXES, CheckpointInfo, read_json, seal_checkpoint
from generation.errors import CheckpointError
from generation.header import header_of
from generation.loading import Origin, Stored, read_stored
from generation.lora import merge, read_lora
from generation.sealing import checkpoint_fields
from generation.weights import Tensors, as_single_file, check_finite

WEIGHTS_FILES = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
    "text_encoder_2": "model.safetensors",
}
MODELSPEC_PREDICTION = {"epsilon": "epsilon", "v_prediction": "v"}


def to_single_file(origin: Origin, out: Path) -> Path:
    """Write one .safetensors file with ModelSpec 1.0.1 keys, all that ``checkpoint.json`` says, and marker tensors.

    Raises CheckpointError when the source is not sound or ``out`` is there already.
    """
    _refuse_existing(out)
    stored = _with_loras(origin)
    tensors: Tensors = {}
    family = stored.info.family
    for name in family.components:
        tensors |= as_single_file(name, stored.tensors[name], stored.configs[name], family)
    if stored.info.prediction_type == "v_prediction":
        tensors["v_pred"] = torch.zeros(0)
    if stored.info.zero_snr:
        tensors["ztsnr"] = torch.zeros(0)
    fields = _fields(stored, origin)
    return _save(tensors, {**_modelspec(stored.info), **header_of(fields)}, out)


def to_folder(origin: Origin, out: Path, fields: Mapping[str, Any], created_at: str = "") -> CheckpointInfo:
    """Write a sealed diffusers folder, configs and tokenizers from the layout.

    ``fields`` of ``checkpoint.json`` (run, epoch, step, licence, ...) go above what the source says; ``created_at`` is
    taken where neither says when.
    Raises CheckpointError when the source is not sound or ``out`` is there already.
    """
    _refuse_existing(out)
    stored = _with_loras(origin)
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write_folder(stored, partial)
        said = {**_fields(stored, origin), **fields}
        seal_checkpoint(partial, {**said, "created_at": said["created_at"] or created_at})
        os.replace(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return seal_info(out)


def from_pickle(path: Path, out: Path) -> Path:
    """Copy the tensors of a pickled checkpoint into a .safetensors file, under the names that they have.

    torch reads it with ``weights_only=True``: a pickle that wants anything but tensors is refused and nothing of it
    runs. Raises CheckpointError then, and when ``out`` is there already.
    """
    _refuse_existing(out)
    if path.suffix not in PICKLED_SUFFIXES:
        raise CheckpointError(f"{path} is no pickle ({', '.join(PICKLED_SUFFIXES)})")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several kinds, for damage and for what it will not run
        raise CheckpointError(f"{path} cannot be read as tensors alone: {str(error).splitlines()[0]}") from error
    values = values.get("state_dict", values) if isinstance(values, dict) else values
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds {type(values).__name__}, not tensors by name")
    tensors = {key: value.contiguous().clone() for key, value in values.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors")
    return _save(tensors, {}, out)


def seal_info(folder: Path) -> CheckpointInfo:
    """What the finished folder says of itself, read back from its place."""
    return read_stored(Origin(folder)).info


def _fields(stored: Stored, origin: Origin) -> dict[str, Any]:
    """What the source says, for ``checkpoint.json``; with LoRAs in it, the source is the parent."""
    fields = checkpoint_fields(stored.info)
    return {**fields, "parent": stored.info.sha256} if origin.loras else fields


def _with_loras(origin: Origin) -> Stored:
    """The stored checkpoint with its LoRAs added, each changed tensor back in the dtype that it had."""
    stored = read_stored(origin)
    loras = [read_lora(ref) for ref in origin.loras]
    changed = merge(loras, {name: stored.tensors[name] for name in stored.info.family.adapted}, stored.configs)
    for component, tensors in changed.items():
        own = stored.tensors[component]
        own |= {name: tensor.to(own[name].dtype) for name, tensor in tensors.items()}
    for tensors in stored.tensors.values():
        check_finite(origin.path, tensors)
    return stored


def _write_folder(stored: Stored, folder: Path) -> None:
    for name in stored.info.family.components:
        (folder / name).mkdir(parents=True)
        shutil.copyfile(stored.layout / name / "config.json", folder / name / "config.json")
        save_file(stored.tensors[name], folder / name / WEIGHTS_FILES[name], metadata={"format": "pt"})
    for name in stored.info.family.tokenizers:
        shutil.copytree(stored.layout / name, folder / name, copy_function=shutil.copyfile)
    shutil.copyfile(stored.layout / INDEX_FILE, folder / INDEX_FILE)
    scheduler = read_json(stored.layout / "scheduler" / "scheduler_config.json")
    scheduler["prediction_type"] = stored.info.prediction_type
    if stored.info.zero_snr or scheduler.get("rescale_betas_zero_snr"):
        scheduler["rescale_betas_zero_snr"] = stored.info.zero_snr
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler, indent=2) + "\n", "utf-8")


def _modelspec(info: CheckpointInfo) -> dict[str, str]:
    """ModelSpec 1.0.1 (Stability AI, "ModelSpec" repository): what other tools read from a file's header."""
    said = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": info.family.modelspec,
        "modelspec.implementation": "sgm",
        "modelspec.title": info.name,
        "modelspec.author": info.attribution,
        "modelspec.license": info.licence,
        "modelspec.date": info.created_at,
        "modelspec.resolution": f"{info.recipe.width}x{info.recipe.height}",
        "modelspec.prediction_type": MODELSPEC_PREDICTION[info.prediction_type],
    }
    return {"format": "pt", **{key: value for key, value in said.items() if value}}


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise CheckpointError(f"{out} is there already; name another place or remove it")


def _save(tensors: Tensors, metadata: Mapping[str, str], out: Path) -> Path:
    partial = out.with_name(f"{out.name}.partial")
    _atomically(lambda: save_file(tensors, partial, metadata=dict(metadata)), partial, out)
    return out


def _atomically(write: Callable[[], object], partial: Path, out: Path) -> None:
    try:
        write()
        partial.chmod(0o644)  # safetensors saves with mode 0600
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
