"""Whole checkpoint folders on disk: all or nothing, never half."""

from __future__ import annotations

import copy
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
from generation.loading import Parts
from generation.recipe import Recipe
from training.errors import UserError
from training.interpretations import interpretations
from training.modules import build_scheduler
from training.state import FULL

LATEST = "latest"
NEEDED_BYTES = 200 * 2**20  # a state, a checkpoint and their temporary copies, several times over
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
    try:
        with whole(folder) as partial:
            _save_parts(partial, parts)
            seal_checkpoint(partial, fields)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error}; {FULL}") from error
    return read_checkpoint(folder)


def _save_parts(folder: Path, parts: Parts) -> None:
    """Every component in its own folder, weights copied to float16, and the index that makes them a pipeline."""
    half = {name: copy.deepcopy(getattr(parts, name)).to(dtype=torch.float16) for name in WEIGHTS}
    half["vae"].register_to_config(
        latents_mean=parts.latent_mean.flatten().tolist(), latents_std=parts.latent_std.flatten().tolist()
    )
    scheduler = build_scheduler(parts.info.prediction_type, zero_snr=parts.info.zero_snr)
    components = half | {"tokenizer": parts.tokenizer, "tokenizer_2": parts.tokenizer_2, "scheduler": scheduler}
    for name, component in components.items():
        component.save_pretrained(folder / name)
    write_json(folder / "model_index.json", INDEX)


def identity(
    parts: Parts,
    *,
    run: str,
    epoch: int,
    step: int,
    name: str,
    preset: str,
    parent: str | None,
    attribution: str,
    dataset: Mapping[str, Any],
    config: Mapping[str, Any],
    prepare: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The fields of ``checkpoint.json`` for one epoch; the recipe stays that of the checkpoint it started from.

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
        "licence": "CC-BY-4.0",
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
    write_text(run / LATEST, f"{checkpoint}\n")


def check_space(folder: Path) -> None:
    """Raise UserError when the disk under ``folder`` has less than 200 MiB left."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise UserError(f"only {free >> 20} MiB free under {folder}, 200 are needed: free some or choose another --out")
