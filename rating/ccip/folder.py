"""The folder of an encoder: two nets, their threshold, clustering defaults, and the manifest that seals them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rating.ccip.errors import ContractError, MissingFileError
from rating.ccip.preprocess import Preprocess, preprocess_of

FEAT, METRIC, METRICS, CLUSTERS, MANIFEST = (
    "model_feat.onnx",
    "model_metrics.onnx",
    "metrics.json",
    "cluster.json",
    "manifest.json",
)
FILES = (FEAT, METRIC, METRICS, CLUSTERS)
FORMAT = "ccip/1"


@dataclass(frozen=True)
class EncoderFolder:
    """What the files say: `hashes` are SHA-256 by file name, `threshold` in [0, 1] is that of "the same character".

    `notice` is what every score by this encoder must say beside it; `manifest` is empty where there is none.
    """

    path: Path
    name: str
    notice: str
    hashes: Mapping[str, str]
    preprocess: Preprocess
    threshold: float
    metrics: Mapping[str, Any]
    clusters: Mapping[str, Mapping[str, Any]]
    manifest: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """64 hex digits: equal where the same images get the same differences."""
        parts = (self.hashes[FEAT], self.hashes[METRIC], self.preprocess.version)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def read_folder(path: Path | str) -> EncoderFolder:
    """Read and hash the files; opens no net.

    Raises MissingFileError for a file that is not there, ContractError for one that is not what the manifest or the
    contract says.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder; an encoder is a folder with {', '.join(FILES)}")
    for name in FILES:
        if not (folder / name).is_file():
            raise MissingFileError(f"{folder / name} is missing; an encoder is a folder with {', '.join(FILES)}")
    hashes = {name: sha256(folder / name) for name in FILES}
    manifest = _manifest(folder, hashes)
    metrics = _object(folder / METRICS)
    found = EncoderFolder(
        path=folder,
        name=str(manifest.get("name", folder.resolve().name)),
        notice=str(manifest.get("notice", "")),
        hashes=hashes,
        preprocess=preprocess_of(manifest.get("preprocess", {})),
        threshold=_threshold(folder, metrics),
        metrics=metrics,
        clusters=_object(folder / CLUSTERS),
        manifest=manifest,
    )
    calibrated = metrics.get("encoder", found.identity)
    if calibrated != found.identity:
        raise ContractError(
            f"{folder / METRICS} was calibrated for another encoder ({str(calibrated)[:12]}, and this is "
            f"{found.identity[:12]}): a threshold belongs to one; calibrate this one, or put its own file back"
        )
    return found


def write_manifest(
    folder: Path,
    *,
    name: str,
    notice: str = "",
    licence: str = "",
    attribution: str = "",
    training: Mapping[str, Any] | None = None,
    preprocess: Preprocess | None = None,
) -> None:
    """Seal a folder whose other files are complete. Raises MissingFileError for one that is not there."""
    manifest = {
        "format": FORMAT,
        "name": name,
        "notice": notice,
        "licence": licence,
        "attribution": attribution,
        "preprocess": (preprocess or Preprocess()).stated(),
        "files": {},
        "training": dict(training or {}),
    }
    seal(folder, manifest)


def seal(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest whose hashes are those of the folder's files. Raises MissingFileError for one not there."""
    for file in FILES:
        if not (folder / file).is_file():
            raise MissingFileError(f"{folder / file} is missing; the manifest is written last")
    manifest = {**manifest, "files": {file: sha256(folder / file) for file in FILES}}
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)


def _manifest(folder: Path, hashes: Mapping[str, str]) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        return {}
    manifest = _object(path)
    if manifest.get("format") != FORMAT:
        raise ContractError(f"{path} is of format {manifest.get('format')!r}; this version reads {FORMAT!r}")
    sealed = manifest.get("files")
    if not isinstance(sealed, dict) or not isinstance(manifest.get("preprocess", {}), dict):
        raise ContractError(f"{path}: files and preprocess must be objects; write it again")
    for name in FILES:
        if sealed.get(name) != hashes[name]:
            raise ContractError(f"{folder / name} is not the file that {MANIFEST} seals; fetch the folder anew")
    return manifest


def _threshold(folder: Path, metrics: Mapping[str, Any]) -> float:
    threshold = metrics.get("threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ContractError(f"{folder / METRICS}: threshold must be a number from 0 to 1, not {threshold!r}")
    return float(threshold)


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ContractError(f"{path} is damaged ({error}); fetch the folder anew") from error
    if not isinstance(value, dict):
        raise ContractError(f"{path} must hold a JSON object; fetch the folder anew")
    return value


def sha256(path: Path) -> str:
    """Of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
