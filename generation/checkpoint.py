"""Checkpoint folders without torch: which files there must be, what they hash to, what ``checkpoint.json`` says.

A checkpoint is a diffusers folder of a known family plus ``checkpoint.json``. `seal_checkpoint` writes that file once
the weights are in place, `read_checkpoint` is the only way back in and refuses whatever does not match it.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generation.errors import CheckpointError
from generation.families import Family, family_named, family_of_pipeline
from generation.recipe import Recipe

__all__ = ["CheckpointError", "CheckpointInfo", "content_sha256", "read_checkpoint", "read_json", "seal_checkpoint"]

SCHEMA = 1
INFO_FILE = "checkpoint.json"
INDEX_FILE = "model_index.json"
PREDICTION_TYPES = ("epsilon", "v_prediction")
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
HASHED_SUFFIXES = (".safetensors", ".json", ".txt")
PICKLED_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """``checkpoint.json`` as values, and the folder it was read from.

    ``latent_mean`` and ``latent_std`` (one number a channel, or both None) say that the UNet works on
    ``(latent - mean) / std``; without them it works on ``latent * vae.config.scaling_factor``.
    ``pad_mask`` says that the UNet was trained with padding tokens hidden from cross-attention, ``zero_snr`` (false
    where ``checkpoint.json`` does not have it) that its noise schedule is rescaled to zero terminal SNR.
    ``max_pixels``, or None, is the largest image it renders directly. ``interpretations`` say what its training took
    the paper to mean (`training.interpretations`), where they are known.
    """

    folder: Path
    run: str
    epoch: int
    step: int
    name: str
    preset: str
    parent: str | None
    sha256: str
    architecture: str
    prediction_type: str
    pad_mask: bool
    latent_mean: tuple[float, ...] | None
    latent_std: tuple[float, ...] | None
    licence: str
    attribution: str
    dataset: Mapping[str, Any]
    config: Mapping[str, Any]
    config_sha256: str
    created_at: str
    recipe: Recipe
    zero_snr: bool = False
    max_pixels: int | None = None
    interpretations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> Family:
        """What the architecture implies."""
        return family_named(self.architecture, self.folder)


def read_checkpoint(folder: Path) -> CheckpointInfo:
    """Validate a checkpoint folder and return what it says of itself.

    Checks that every needed file is there, that nothing is pickled or linked from outside, that the content hash
    is the recorded one, and that scheduler and VAE configs agree with ``checkpoint.json``. Weights are hashed, not
    loaded. Raises CheckpointError naming the file or field and the remedy.
    """
    folder = Path(folder)
    fields = _read_info(folder)
    family = family_named(fields.get("architecture"), folder / INFO_FILE)
    _require_files(folder, family)
    info = parse_info(folder, fields, folder / INFO_FILE)
    _check_pipeline(folder, family)
    _check_schedule(folder, info)
    _check_latent_scaling(folder, info)
    actual = content_sha256(folder)
    if actual != info.sha256:
        raise CheckpointError(
            f"{folder}: content hash is {actual}, {INFO_FILE} records {info.sha256}: "
            "a file was changed after the checkpoint was written; copy the folder again or restore it"
        )
    return info


def seal_checkpoint(folder: Path, fields: Mapping[str, Any]) -> CheckpointInfo:
    """Finish a folder of saved components: make files readable, hash them, write ``checkpoint.json``, read it back.

    ``fields`` are those of ``checkpoint.json`` except ``schema`` and ``sha256``, which are filled in here.
    Raises CheckpointError as `read_checkpoint` does.
    """
    for file in _files(folder):
        # safetensors saves with mode 0600, which would lock out a worker run by another user.
        file.chmod(0o644)
    record = {"schema": SCHEMA, **fields, "sha256": content_sha256(folder)}
    temporary = folder / f".{INFO_FILE}.new"
    temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, folder / INFO_FILE)
    return read_checkpoint(folder)


def content_sha256(folder: Path) -> str:
    """SHA-256 over the sorted lines ``relative/path sha256`` of all weights, configs and vocabularies.

    Every ``*.safetensors``, ``*.json`` and ``*.txt`` below the folder counts, except ``checkpoint.json`` itself,
    which carries the hash. Raises CheckpointError for a symbolic link that leaves the folder.
    """
    lines = []
    for file in _files(folder):
        path = file.relative_to(folder).as_posix()
        if file.suffix in HASHED_SUFFIXES and path != INFO_FILE:
            lines.append(f"{path} {file_sha256(file)}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises CheckpointError when it is missing, unreadable or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}); copy the checkpoint again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold a JSON object, not {type(value).__name__}")
    return value


def _files(folder: Path) -> list[Path]:
    root = folder.resolve()
    found = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    for path in found:
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise CheckpointError(f"{path} is a link that leaves the checkpoint folder; put the file itself there")
    return found


def file_sha256(path: Path) -> str:
    """Lower-case hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_info(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder; give the path of a checkpoint folder")
    if not (folder / INFO_FILE).is_file():
        raise CheckpointError(f"{folder} lacks {INFO_FILE}; copy the whole checkpoint folder again")
    fields = read_json(folder / INFO_FILE)
    if fields.get("schema") != SCHEMA:
        raise CheckpointError(f"{folder / INFO_FILE}: schema is {fields.get('schema')!r}, this version reads {SCHEMA}")
    return fields


def _require_files(folder: Path, family: Family) -> None:
    for path in _missing(folder, family):
        raise CheckpointError(f"{folder} lacks {path}; copy the whole checkpoint folder again")
    for file in _files(folder):
        if file.suffix in PICKLED_SUFFIXES:
            raise CheckpointError(f"{file} is a pickle and may run code when loaded; convert it to safetensors")


def read_layout(folder: Path) -> Family:
    """The family of a folder with configs and tokenizers, with or without weights.

    Raises CheckpointError where one is missing, and for a family that is not known.
    """
    if not (folder / INDEX_FILE).is_file():
        raise CheckpointError(f"{folder} lacks {INDEX_FILE}; name a diffusers folder, with or without its weights")
    family = family_of_pipeline(read_json(folder / INDEX_FILE).get("_class_name"), folder / INDEX_FILE)
    for path in _missing_layout(folder, family):
        raise CheckpointError(f"{folder} lacks {path}; name a diffusers folder, with or without its weights")
    return family


def _missing(folder: Path, family: Family) -> Iterator[str]:
    yield from _missing_layout(folder, family)
    for name in family.components:
        if not any((folder / name).glob("*.safetensors")):
            yield f"{name}/*.safetensors"


def _missing_layout(folder: Path, family: Family) -> Iterator[str]:
    configs = (f"{name}/config.json" for name in family.components)
    for path in (INDEX_FILE, *configs, "scheduler/scheduler_config.json"):
        if not (folder / path).is_file():
            yield path
    for name in family.tokenizers:
        whole, parts = folder / name / "tokenizer.json", [folder / name / "vocab.json", folder / name / "merges.txt"]
        if not whole.is_file() and not all(part.is_file() for part in parts):
            yield f"{name}/tokenizer.json (or vocab.json with merges.txt)"


def parse_info(folder: Path, fields: Mapping[str, Any], source: Path) -> CheckpointInfo:
    """The fields of ``checkpoint.json`` as values. Raises CheckpointError naming ``source`` and the field."""
    try:
        recipe = Recipe.from_dict(_typed(fields, "recipe", dict))
        info = CheckpointInfo(
            folder=folder,
            run=_typed(fields, "run", str),
            epoch=_typed(fields, "epoch", int),
            step=_typed(fields, "step", int),
            name=_typed(fields, "name", str),
            preset=_typed(fields, "preset", str),
            parent=_typed(fields, "parent", str, type(None)),
            sha256=_typed(fields, "sha256", str),
            architecture=_typed(fields, "architecture", str),
            prediction_type=_typed(fields, "prediction_type", str),
            pad_mask=_typed(fields, "pad_mask", bool),
            latent_mean=number_list(fields, "latent_mean"),
            latent_std=number_list(fields, "latent_std"),
            licence=_typed(fields, "licence", str),
            attribution=_typed(fields, "attribution", str),
            dataset=_typed(fields, "dataset", dict),
            config=_typed(fields, "config", dict),
            config_sha256=_typed(fields, "config_sha256", str),
            created_at=_typed(fields, "created_at", str),
            recipe=recipe,
            zero_snr=_typed({"zero_snr": False, **fields}, "zero_snr", bool),
            max_pixels=_typed({"max_pixels": None, **fields}, "max_pixels", int, type(None)),
            interpretations=_typed({"interpretations": {}, **fields}, "interpretations", dict),
        )
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from error
    if info.prediction_type not in PREDICTION_TYPES:
        raise CheckpointError(f"{source}: prediction_type is {info.prediction_type!r}; known are {PREDICTION_TYPES}")
    return info


def _typed(fields: Mapping[str, Any], name: str, *types: type) -> Any:
    if name not in fields:
        raise ValueError(f"field {name!r} is missing")
    value = fields[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ValueError(f"field {name!r} must be {' or '.join(kind.__name__ for kind in types)}, got {value!r}")
    return value


def number_list(fields: Mapping[str, Any], name: str) -> tuple[float, ...] | None:
    """A field that is null, missing or a list of finite numbers. Raises ValueError otherwise."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(x, int | float) and math.isfinite(x) for x in value):
        raise ValueError(f"field {name!r} must be null or a list of finite numbers, got {value!r}")
    return tuple(float(x) for x in value)


def _check_pipeline(folder: Path, family: Family) -> None:
    """Other tools go by ``model_index.json``, so it must not say something else."""
    said = read_json(folder / INDEX_FILE).get("_class_name")
    if said != family.pipeline:
        raise CheckpointError(
            f"{folder / INDEX_FILE}: _class_name is {said!r}, {INFO_FILE} says architecture {family.name!r}, "
            f"which is {family.pipeline}"
        )


def _check_schedule(folder: Path, info: CheckpointInfo) -> None:
    """The samplers assume Stable Diffusion's noise schedule; any other would give wrong pictures without an error."""
    source = folder / "scheduler" / "scheduler_config.json"
    config = read_json(source)
    wanted = {**SCHEDULE, "prediction_type": info.prediction_type}
    for key, value in wanted.items():
        if config.get(key) != value:
            raise CheckpointError(f"{source}: {key} is {config.get(key)!r}, expected {value!r}")
    if bool(config.get("rescale_betas_zero_snr")) != info.zero_snr:
        raise CheckpointError(
            f"{source}: rescale_betas_zero_snr is {config.get('rescale_betas_zero_snr')!r}, "
            f"{INFO_FILE} says zero_snr {info.zero_snr}"
        )


def _check_latent_scaling(folder: Path, info: CheckpointInfo) -> None:
    source = folder / "vae" / "config.json"
    config = read_json(source)
    for key, value in (("latents_mean", info.latent_mean), ("latents_std", info.latent_std)):
        stored = config.get(key)
        if (tuple(stored) if stored is not None else None) != value:
            raise CheckpointError(f"{source}: {key} is {stored!r}, {INFO_FILE} says {value!r}")
    if (info.latent_mean is None) != (info.latent_std is None):
        raise CheckpointError(f"{folder / INFO_FILE}: give both latent_mean and latent_std, or neither")
    if info.latent_std is not None and (config.get("scaling_factor") != 1 or min(info.latent_std) <= 0):
        raise CheckpointError(f"{source}: with latents_std, scaling_factor must be 1 and every std positive")
