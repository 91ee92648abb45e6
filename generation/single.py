"""A single .safetensors file as a checkpoint: what its header says, without torch and without reading a weight.

Configs and tokenizers are not in such a file; they come from a *layout*, a diffusers folder of the same
architecture. How the UNet predicts is never guessed: it comes from marker tensors, from ModelSpec or from the caller.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.checkpoint import (
    INFO_FILE,
    PICKLED_SUFFIXES,
    PREDICTION_TYPES,
    CheckpointInfo,
    file_sha256,
    parse_info,
    read_json,
    read_layout,
)
from generation.errors import CheckpointError
from generation.families import Family
from generation.header import manifest_in
from generation.presets import first_recipe
from generation.recipe import Recipe

MAX_HEADER = 100_000_000
# ModelSpec 1.0.1 writes "v"; other tools write the long names.
SPOKEN = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says before its weights: ``shapes`` by key, and the free text ``metadata``."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Raises CheckpointError for a file that is no readable safetensors file."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > MAX_HEADER:
                raise ValueError(f"the header claims {length} bytes")
            header = json.loads(stream.read(length))
            metadata = header.pop("__metadata__", {})
            shapes = {key: tuple(entry["shape"]) for key, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise CheckpointError(f"{path} is no readable safetensors file ({error}); copy it again") from error
    return Header(shapes, metadata)


def read_single(path: Path, layout: Path | None, prediction_type: str | None = None) -> CheckpointInfo:
    """What a single file says of itself, completed by the layout.

    Args:
        path: a .safetensors file, no pickle and no link into another folder.
        layout: a diffusers folder with configs and tokenizers; its recipe is taken over if it is sealed, unless the
            file carries our manifest, which then says all that ``checkpoint.json`` would.
        prediction_type: ``epsilon`` or ``v_prediction``, above what the file says.

    Raises CheckpointError naming the file and the remedy.
    """
    _check_path(path)
    if layout is None:
        raise CheckpointError(f"{path} holds no configs and tokenizers; name a folder that has them with --like")
    family = read_layout(layout)
    header = read_header(path)
    predicts, zero_snr = prediction(path, header, prediction_type)
    vae = read_json(layout / "vae" / "config.json")
    said = header.metadata
    own = manifest_in(said, path)
    if own and own.get("architecture") != family.name:
        raise CheckpointError(f"{path} is a checkpoint of {own.get('architecture')!r}, {layout} of {family.name!r}")
    fields = own or {
        "run": path.stem,
        "epoch": 0,
        "step": 0,
        "name": said.get("modelspec.title") or path.stem,
        "preset": "",
        "parent": None,
        "architecture": family.name,
        "pad_mask": False,
        "latent_mean": vae.get("latents_mean"),
        "latent_std": vae.get("latents_std"),
        "licence": said.get("modelspec.license", ""),
        "attribution": said.get("modelspec.author", ""),
        "dataset": {},
        "config": {},
        "config_sha256": canonical_sha256({}),
        "created_at": said.get("modelspec.date", ""),
        "recipe": _recipe(layout, family).to_dict(),
    }
    found = {"sha256": file_sha256(path), "prediction_type": predicts, "zero_snr": zero_snr}
    return parse_info(path, {**fields, **found}, path)


def prediction(path: Path, header: Header, override: str | None = None) -> tuple[str, bool]:
    """How the UNet predicts, and whether its schedule has zero terminal SNR.

    ``override`` decides where it is given. Otherwise the marker tensors ``v_pred`` and ``ztsnr`` and the ModelSpec key
    ``modelspec.prediction_type`` do; CheckpointError when they disagree or when nothing is said.
    """
    zero_snr = "ztsnr" in header.shapes
    if override is not None:
        if override not in PREDICTION_TYPES:
            raise CheckpointError(f"prediction type {override!r} is unknown; known are {PREDICTION_TYPES}")
        return override, zero_snr
    marked = "v_prediction" if "v_pred" in header.shapes else None
    spoken = header.metadata.get("modelspec.prediction_type")
    if spoken is not None and spoken not in SPOKEN:
        raise CheckpointError(f"{path}: modelspec.prediction_type is {spoken!r}; say what it is by --prediction-type")
    said = {value for value in (marked, SPOKEN.get(spoken or "")) if value is not None}
    if len(said) == 1:
        return said.pop(), zero_snr
    problem = "tensor v_pred and modelspec.prediction_type disagree" if said else "nothing in it says how it predicts"
    raise CheckpointError(f"{path}: {problem}; say it by --prediction-type, epsilon or v_prediction")


def _check_path(path: Path) -> None:
    if path.suffix in PICKLED_SUFFIXES:
        raise CheckpointError(f"{path} is a pickle and may run code when loaded; `convert` it to .safetensors first")
    if not path.is_file():
        raise CheckpointError(f"{path} is not there; give a .safetensors file or a checkpoint folder")
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise CheckpointError(f"{path} is a link that leaves its folder; put the file itself there")


def _recipe(layout: Path, family: Family) -> Recipe:
    if not (layout / INFO_FILE).is_file():
        return first_recipe(family)
    values: Any = read_json(layout / INFO_FILE).get("recipe", {})
    return Recipe.from_dict(values)
