"""The committed base: what all its checkpoints share is stored once, and unpacks to whole checkpoint folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generation.checkpoint import CheckpointError, read_checkpoint
from generation.files import whole, write_json
from training.errors import UserError

FOLDER = Path(__file__).parent / "base"
SHARED = ("model_index.json", "vae", "tokenizer", "tokenizer_2", "scheduler")
OWN = ("unet", "text_encoder", "text_encoder_2", "checkpoint.json")
COMMANDS = (
    "python -m training dataset demo --out var/dataset --seed 0",
    "python -m training attributes --data var/dataset --out var/attributes",
    "python -m training base all --data var/dataset --out var/base-build",
)


def export_base(checkpoints: Sequence[Path], target: Path, figures: Mapping[str, Any], log: Path) -> int:
    """Write ``target``: ``shared/``, a folder for each checkpoint, ``manifest.json``; returns its size in bytes.

    The last checkpoint is the base, called ``base``; earlier ones are called ``epoch-NN``.
    """
    names = [*(folder.name for folder in checkpoints[:-1]), "base"]
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    with whole(target) as partial:
        _copy(checkpoints[-1], partial / "shared", SHARED)
        for folder, name in zip(checkpoints, names, strict=True):
            _copy(folder, partial / name, OWN)
        write_json(partial / "manifest.json", _manifest(checkpoints, names, figures, lines))
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def _manifest(
    checkpoints: Sequence[Path], names: Sequence[str], figures: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    infos = [read_checkpoint(folder) for folder in checkpoints]
    base = infos[-1]
    return {
        "schema": 1,
        "checkpoints": [
            {"name": name, "title": info.name, "epoch": info.epoch, "step": info.step, "sha256": info.sha256}
            for name, info in zip(names, infos, strict=True)
        ],
        "licence": base.licence,
        "attribution": base.attribution,
        "commands": list(COMMANDS),
        "dataset": dict(base.dataset),
        "config": dict(base.config),
        "config_sha256": base.config_sha256,
        "training": {
            "steps": base.step,
            "wall_s": round(sum(line["speed"]["wall_s"] for line in log)),
            "cpu_s": round(sum(line["speed"]["cpu_s"] for line in log)),
        },
        "figures": dict(figures),
        "untrained_tokens": "the named characters' names are whole tokens whose embeddings the base never trained",
    }


def unpack_base(out: Path, source: Path = FOLDER) -> list[Path]:
    """Assemble every committed checkpoint as ``out/<name>``, earliest first; whole ones that are there stay.

    Raises:
        UserError: the committed files are missing or damaged.
    """
    manifest = source / "manifest.json"
    if not manifest.is_file():
        raise UserError(f"{manifest} is missing: check out the repository again, or rebuild it with `make base`")
    names = [entry["name"] for entry in json.loads(manifest.read_text("utf-8"))["checkpoints"]]
    return [_unpack_one(source, name, out / name) for name in names]


def _unpack_one(source: Path, name: str, folder: Path) -> Path:
    if not _is_current(source / name, folder):
        with whole(folder) as partial:
            _copy(source / "shared", partial, SHARED)
            _copy(source / name, partial, OWN)
    try:
        read_checkpoint(folder)
    except CheckpointError as error:
        raise UserError(f"the committed base is damaged: {error}") from error
    return folder


def _is_current(own: Path, folder: Path) -> bool:
    """Whether ``folder`` was unpacked from these very files before."""
    there = folder / "checkpoint.json"
    return there.is_file() and there.read_bytes() == (own / "checkpoint.json").read_bytes()


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy files and folders by name, readable for everyone."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, copy_function=shutil.copyfile, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target / name)
