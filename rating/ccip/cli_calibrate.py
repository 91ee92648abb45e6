"""`python -m rating ccip calibrate`: thresholds of an encoder from labelled images."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from rating.ccip import clusters
from rating.ccip.calibration import calibrate_matrix, check_enough
from rating.ccip.cli_score import SUFFIXES
from rating.ccip.command import bar, encoder_of, made, show, show_json
from rating.ccip.errors import CalibrationError, MissingFileError
from rating.ccip.folder import CLUSTERS, MANIFEST, METRICS


def run(options: Namespace) -> int:
    """Print, and write, what metrics.json and cluster.json hold. Raises CCIPError."""
    labelled = labelled_images(options.folder)
    characters = [character for character, _ in labelled]
    check_enough(characters)
    out = _unsealed(options.out) if options.out is not None else None
    encoder = encoder_of(options)
    with bar("embedding") as progress:
        features = encoder.embed([path for _, path in labelled], progress=progress)
    differences = encoder.differences(features)
    with bar("resampling characters") as progress:
        found = calibrate_matrix(
            differences, characters, seed=options.seed, resamples=options.resamples, progress=progress
        )
    metrics = {**found.metrics(), "encoder": encoder.identity}
    if out is not None:
        _write(out / METRICS, metrics)
        _write(out / CLUSTERS, clusters.tuned(differences, characters))
    if options.format == "json":
        show_json(metrics)
    else:
        show([{"what": name, "value": value} for name, value in metrics.items()], f"{encoder.name}, {options.folder}")
        print("thresholds from half of the characters; f1_score to auc on the other half")
    return 0


def labelled_images(folder: Path) -> list[tuple[str, Path]]:
    """Character and file of folder/CHARACTER/any name.png. Raises MissingFileError where there are none."""
    files = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise MissingFileError(f"{folder} holds no images; put them into a folder for each character")
    return [(path.parent.name, path) for path in files]


def _unsealed(folder: Path) -> Path:
    """The folder to write into. Raises CalibrationError where a manifest seals other settings."""
    if (folder / MANIFEST).exists():
        raise CalibrationError(
            f"{folder} is an encoder whose {MANIFEST} seals its settings; name another folder by --out, and copy "
            "the two nets beside what is written there"
        )
    return made(folder)


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
