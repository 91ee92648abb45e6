"""Whole checkpoint folders on disk: all or nothing, never half."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import diffusers
import torch

from generation.canonical import canonical_sha256
from generation.checkpoint import CheckpointInfo, read_checkpoint, seal_checkpoint
from generation.files import whole, write_json, write_text
from generation.loading import DIFFUSERS_KINDS, TEXT_KINDS, Parts
from generation.recipe import Recipe
from training.errors import UserError, writing
from training.interpretations import interpretations
from training.modules import build_scheduler

LATEST = "latest"
LEAST_BYTES = 200 * 2**20  # of free disk at the start of a run, however small it is
WEIGHTS = ("vae", "unet", "text_encoder", "text_encoder_2")
INDEX = {  # what diffusers' StableDiffusionXLPipeline.from_pretrained reads
    "_class_name": "StableDiffusionXLPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": [None, None],
    "force_zeros_for_empty_prompt": False,
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
RECIPE = Recipe(sampler="euler_a", steps=12, cfg=2.0, width=64, height=64, negative_prompt="", batch=8)


def write_checkpoint(folder: Path, parts: Parts, fields: Mapping[str, Any]) -> CheckpointInfo:
    """Save ``parts`` in float16 as a diffusers SDXL folder with ``checkpoint.json``; an existing whole one stays.

    ``fields`` as in `identity`.

    Raises:
        UserError: the disk is full or not writable.
    """
    if folder.exists():
        return read_checkpoint(folder)
    with writing(folder), whole(folder) as partial:
        _save_parts(partial, parts)
        seal_checkpoint(partial, fields)
    return read_checkpoint(folder)


def _save_parts(folder: Path, parts: Parts) -> None:
    """Every component in its own folder, weights copied to float16, and the index that makes them a pipeline."""
    half = {name: _half(name, getattr(parts, name)) for name in WEIGHTS}
    half["vae"].register_to_config(
        latents_mean=parts.latent_mean.flatten().tolist(), latents_std=parts.latent_std.flatten().tolist()
    )
    scheduler = build_scheduler(parts.info.prediction_type, zero_snr=parts.info.zero_snr)
    components = half | {"tokenizer": parts.tokenizer, "tokenizer_2": parts.tokenizer_2, "scheduler": scheduler}
    for name, component in components.items():
        component.save_pretrained(folder / name)
    write_json(folder / "model_index.json", INDEX)


def _half(name: str, module: Any) -> Any:
    """A float16 copy in main memory: a device that trains has no room for a second U-Net."""
    return rebuilt(name, module, {key: value.to("cpu", torch.float16) for key, value in module.state_dict().items()})


def rebuilt(name: str, module: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A component configured as ``module`` that holds these very ``weights``, for writing."""
    with torch.device("meta"):
        kind = TEXT_KINDS.get(name)
        copy = kind(module.config) if kind else DIFFUSERS_KINDS[name].from_config(module.config)
    copy.load_state_dict(weights, assign=True, strict=True)
    return copy


def identity(
    parts: Parts,
    *,
    run: str,
    epoch: int,
    step: int,
    name: str,
    preset: str,
    parent: str | None,
    licence: str,
    attribution: str,
    dataset: Mapping[str, Any],
    config: Mapping[str, Any],
    prepare: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The fields of ``checkpoint.json`` for one epoch; recipe and largest size stay those of what it started from.

    ``prepare`` are the settings of the data set's preparation, where it has some.
    """
    return {
        "run": run,
        "epoch": epoch,
        "step": step,
        "name": name,
        "preset": preset,
        "parent": parent,
        "architecture": "sdxl",
        "prediction_type": parts.info.prediction_type,
        **({"zero_snr": True} if parts.info.zero_snr else {}),
        "pad_mask": parts.info.pad_mask,
        "latent_mean": parts.latent_mean.flatten().tolist(),
        "latent_std": parts.latent_std.flatten().tolist(),
        **({} if parts.info.max_pixels is None else {"max_pixels": parts.info.max_pixels}),
        "licence": licence,
        "attribution": attribution,
        "dataset": dict(dataset),
        "config": dict(config),
        "config_sha256": canonical_sha256(dict(config)),
        "interpretations": interpretations(config, prepare),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": parts.info.recipe.to_dict(),
    }


def point_latest(run: Path, checkpoint: str) -> None:
    """Let ``<run>/latest`` name the newest whole checkpoint folder."""
    with writing(run / LATEST):
        write_text(run / LATEST, f"{checkpoint}\n")


def check_space(folder: Path, needed: int = 0) -> None:
    """Raise UserError when the disk under ``folder`` has less than ``needed`` bytes left, or less than 200 MiB."""
    free, needed = shutil.disk_usage(folder).free, max(needed, LEAST_BYTES)
    if free < needed:
        raise UserError(
            f"only {free >> 20} MiB free under {folder}, {needed >> 20} are needed (a state, the one that replaces it, "
            "and a checkpoint): free some or choose another --out"
        )
