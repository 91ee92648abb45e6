"""`python -m rating ccip calibrate`: thresholds of an encoder from labelled images."""

import json
import shutil
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rating.ccip import clusters
from rating.ccip.calibration import calibrate_matrix, check_enough
from rating.ccip.cli_score import SUFFIXES
from rating.ccip.command import bar, encoder_of, made, show, show_json
from rating.ccip.encoder import CCIPEncoder
from rating.ccip.errors import CalibrationError, MissingFileError
from rating.ccip.folder import CLUSTERS, FEAT, MANIFEST, METRIC, METRICS, read_folder, seal, sha256


def run(options: Namespace) -> int:
    """Print, and write, what metrics.json and cluster.json hold. Raises CCIPError."""
    labelled = labelled_images(options.folder)
    characters = [character for character, _ in labelled]
    check_enough(characters)
    encoder = encoder_of(options)
    out = _free(options.out, encoder) if options.out is not None else None
    with bar("embedding") as progress:
        features = encoder.embed([path for _, path in labelled], progress=progress)
    differences = encoder.differences(features)
    with bar("resampling characters") as progress:
        found = calibrate_matrix(
            differences, characters, seed=options.seed, resamples=options.resamples, progress=progress
        )
    metrics = {**found.metrics(), "encoder": encoder.identity}
    if out is not None:
        _write(out, encoder, {METRICS: metrics, CLUSTERS: clusters.tuned(differences, characters)})
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


def _free(folder: Path, encoder: CCIPEncoder) -> Path:
    """The folder to write into. Raises CalibrationError where a manifest or the nets there are of another encoder."""
    if (folder / MANIFEST).exists():
        raise CalibrationError(
            f"{folder} is an encoder whose {MANIFEST} seals its settings; name another folder by --out"
        )
    for net in (FEAT, METRIC):
        if (folder / net).exists() and sha256(folder / net) != encoder.folder.hashes[net]:
            raise CalibrationError(
                f"{folder / net} is another encoder's than {encoder.name}; name another folder by --out"
            )
    return made(folder)


def _write(out: Path, encoder: CCIPEncoder, settings: dict[str, dict[str, Any]]) -> None:
    """The settings; of a sealed encoder the whole folder anew, as its nets alone lack notice and preprocessing."""
    source = encoder.folder
    with TemporaryDirectory(prefix=".calibrated-", dir=out) as name:
        whole = Path(name)
        for file, content in settings.items():
            text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
            (whole / file).write_text(text, encoding="utf-8")
        if source.manifest:
            for net in (FEAT, METRIC):
                shutil.copyfile(source.path / net, whole / net)
            seal(whole, {**source.manifest, "name": source.name})
            read_folder(whole)
        # The manifest goes first: with it, files are an encoder once all of them are there.
        for path in sorted(whole.iterdir(), key=lambda path: path.name != MANIFEST):
            path.replace(out / path.name)
