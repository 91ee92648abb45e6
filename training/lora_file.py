"""Write a LoRA file: kohya's tensors, and a header that says how it came about, in kohya's and ModelSpec's words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from generation.checkpoint import CheckpointInfo, file_sha256
from generation.convert import MODELSPEC_PREDICTION
from generation.files import write_bytes
from generation.header import header_of
from training.adapters import Adapters
from training.errors import writing


def write_lora(path: Path, adapters: Adapters, base: CheckpointInfo, manifest: Mapping[str, Any]) -> str:
    """Write the adapters and return the file's hash; what is there is replaced only by a whole file.

    Args:
        base: the checkpoint that they were trained on.
        manifest: how they came about, as `training.checkpoint.identity` has it: ``name``, ``step``, ``config``, ....

    Raises UserError when the disk is full or not writable.
    """
    tensors = adapters.tensors()
    said = {**_kohya(adapters, base, manifest), **_modelspec(base, manifest, tensors), **header_of(manifest)}
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, save(tensors, metadata={"format": "pt", **said}))
    return file_sha256(path)


def _kohya(adapters: Adapters, base: CheckpointInfo, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The ``ss_*`` keys that tools read (sd-scripts, train_network.py): what is not known is left out."""
    config = adapters.config
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(config.rank),
        "ss_network_alpha": f"{config.effective_alpha:g}",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_v2": "False",
        "ss_output_name": str(manifest["name"]),
        "ss_sd_model_name": base.name,
        "ss_new_sd_model_hash": base.sha256,
        "ss_steps": str(manifest["step"]),
        **({"ss_network_args": json.dumps({"conv_dim": config.rank})} if "conv" in config.targets else {}),
    }


def _modelspec(
    base: CheckpointInfo, manifest: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> dict[str, str]:
    """ModelSpec 1.0.1; its hash is over the tensors' bytes alone, so that editing the header keeps it."""
    said = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "sgm",
        "modelspec.title": str(manifest["name"]),
        "modelspec.author": str(manifest["attribution"]),
        "modelspec.license": str(manifest["licence"]),
        "modelspec.date": str(manifest["created_at"]),
        "modelspec.resolution": f"{base.recipe.width}x{base.recipe.height}",
        "modelspec.prediction_type": MODELSPEC_PREDICTION[base.prediction_type],
        "modelspec.hash_sha256": f"0x{tensor_bytes_sha256(save(dict(tensors)))}",
    }
    return {key: value for key, value in said.items() if value}


def tensor_bytes_sha256(file: bytes) -> str:
    """Hash of what follows the header of a safetensors file."""
    return hashlib.sha256(file[8 + int.from_bytes(file[:8], "little") :]).hexdigest()
