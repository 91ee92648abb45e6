"""Make a checkpoint of a diffusers folder that some other trainer wrote: say what it is, and seal it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.checkpoint import INFO_FILE, CheckpointInfo, read_json, read_layout, seal_checkpoint
from generation.errors import CheckpointError
from generation.presets import PAPER_RECIPE
from generation.recipe import Recipe


@dataclass(frozen=True)
class Description:
    """What a folder of weights cannot say of itself."""

    run: str
    epoch: int
    step: int
    licence: str
    attribution: str = ""
    parent: str | None = None
    prediction_type: str = "epsilon"
    recipe: Recipe = PAPER_RECIPE
    max_pixels: int | None = None


def checkpoint_fields(info: CheckpointInfo) -> dict[str, Any]:
    """What an info says, as the fields of ``checkpoint.json``."""
    names = (
        *("run", "epoch", "step", "name", "preset", "parent", "architecture", "prediction_type", "zero_snr"),
        *("pad_mask", "licence", "attribution", "config_sha256", "created_at"),
    )
    fields = {name: getattr(info, name) for name in names}
    if not info.zero_snr:
        del fields["zero_snr"]
    if info.max_pixels is not None:
        fields["max_pixels"] = info.max_pixels
    if info.interpretations:
        fields["interpretations"] = dict(info.interpretations)
    return {
        **fields,
        "latent_mean": None if info.latent_mean is None else list(info.latent_mean),
        "latent_std": None if info.latent_std is None else list(info.latent_std),
        "dataset": dict(info.dataset),
        "config": dict(info.config),
        "recipe": info.recipe.to_dict(),
    }


def seal_folder(folder: Path, description: Description, created_at: str) -> CheckpointInfo:
    """Write ``checkpoint.json`` beside the weights; ``created_at`` is an ISO 8601 time.

    Raises CheckpointError when the folder is sealed already or is no sound checkpoint; nothing is left behind then.
    """
    target = folder / INFO_FILE
    if target.exists():
        raise CheckpointError(f"{target} is there already; `inspect` shows it. Remove it to seal the folder anew")
    vae = read_json(folder / "vae" / "config.json")
    fields = {
        "run": description.run,
        "epoch": description.epoch,
        "step": description.step,
        "name": f"{description.run} epoch {description.epoch}",
        "preset": "",
        "parent": description.parent,
        "architecture": read_layout(folder).name,
        "prediction_type": description.prediction_type,
        "pad_mask": False,
        "latent_mean": vae.get("latents_mean"),
        "latent_std": vae.get("latents_std"),
        "licence": description.licence,
        "attribution": description.attribution,
        "dataset": {},
        "config": {},
        "config_sha256": canonical_sha256({}),
        "created_at": created_at,
        "recipe": description.recipe.to_dict(),
        **({} if description.max_pixels is None else {"max_pixels": description.max_pixels}),
    }
    try:
        return seal_checkpoint(folder, fields)
    except CheckpointError:
        target.unlink(missing_ok=True)
        raise
