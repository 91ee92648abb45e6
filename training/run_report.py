"""What a run did so far, as numbers: losses, rates, speed, epochs, what people said (docs/run-report.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.checkpoint import INFO_FILE, file_sha256
from training.errors import UserError
from training.run_files import ASKED, EPOCHS, RUN, SAMPLES, STANDINGS, STEPS

POINTS = 240  # of a curve: each the mean over equally many steps
COLUMNS = ("step", "loss", "raw_loss", "unet_lr", "text_lr", "images", "wall_s", "wait_s", "mfu")
TENTHS = 10


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / RUN).is_file()


def gather(folder: Path) -> dict[str, Any]:
    """The whole report as plain JSON values.

    Raises:
        UserError: no step of the run is finished yet, or a line of its log is damaged.
    """
    settings = json.loads((folder / RUN).read_text("utf-8"))
    table, by_epoch = _steps(folder)
    epochs = list(lines_of(folder / EPOCHS))
    standings = list(lines_of(folder / STANDINGS))
    return {
        "run": settings["run"],
        "folder": str(folder.resolve()),
        "settings": {name: settings[name] for name in ("preset", "dataset", "base")},
        "steps": int(table["step"][-1]),
        "images": int(table["images"].sum()),
        "seconds": float(table["wall_s"].sum()),
        "data_wait": float(table["wait_s"].sum() / table["wall_s"].sum()),
        "mfu": mean_of(table["mfu"]),
        "curve": _curve(table),
        "by_timestep": {str(epoch): sums.tolist() for epoch, sums in sorted(by_epoch.items())},
        "epochs": [line | _checkpoint(folder, line["epoch"]) for line in epochs],
        "standings": standings,
        "samples": samples_of(folder),
    }


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log file, which need not be there; one that a kill cut short is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.endswith("\n"):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise UserError(f"{path}, line {number} is damaged ({error}): remove that line") from error


def _steps(folder: Path) -> tuple[dict[str, NDArray[np.float64]], dict[int, NDArray[np.float64]]]:
    """The columns of the steps' log, each (steps,), and by epoch samples and summed raw losses by timestep, (10, 2)."""
    rows: list[tuple[float, ...]] = []
    by_epoch: dict[int, NDArray[np.float64]] = {}
    for line in lines_of(folder / STEPS):
        known = {**line, **line["speed"]}
        rows.append(tuple(np.nan if known.get(name) is None else known[name] for name in COLUMNS))
        sums = by_epoch.setdefault(line["epoch"], np.zeros((TENTHS, 2)))
        sums += np.asarray(line["by_timestep"])
    if not rows:
        raise UserError(f"{folder} is a run without a finished step: train first")
    columns = np.array(rows).T
    return dict(zip(COLUMNS, columns, strict=True)), by_epoch


def _curve(table: Mapping[str, NDArray[np.float64]]) -> list[dict[str, float | None]]:
    """Means of equally many steps each: losses, rates, img/s, share of waiting, MFU."""
    count = len(table["step"])
    cuts = np.linspace(0, count, min(POINTS, count) + 1).astype(int)
    return [_point({name: column[a:b] for name, column in table.items()}) for a, b in pairwise(cuts)]


def _point(part: Mapping[str, NDArray[np.float64]]) -> dict[str, float | None]:
    seconds = float(part["wall_s"].sum()) or 1e-9
    means = {name: mean_of(part[name]) for name in ("loss", "raw_loss", "unet_lr", "text_lr", "mfu")}
    return {
        "step": float(part["step"].mean()),
        **means,
        "images_per_s": float(part["images"].sum()) / seconds,
        "data_wait": float(part["wait_s"].sum()) / seconds,
    }


def mean_of(values: NDArray[np.float64]) -> float | None:
    """The mean of the known values, None where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _checkpoint(folder: Path, epoch: int) -> dict[str, Any]:
    """The epoch's checkpoint folder or LoRA by name, what it hashes to, and the file that tells of it.

    All None where it was deleted since.
    """
    name = f"epoch-{epoch:02d}"
    told, lora = folder / name / INFO_FILE, folder / f"{name}.safetensors"
    if told.is_file():
        sha256 = json.loads(told.read_text("utf-8"))["sha256"]
        return {"folder": name, "sha256": sha256, "manifest": f"{name}/{INFO_FILE}"}
    if lora.is_file():
        return {"folder": lora.name, "sha256": file_sha256(lora), "manifest": lora.name}
    return {"folder": None, "sha256": None, "manifest": None}


def samples_of(folder: Path) -> dict[str, Any]:
    """Prompts, seeds, and the names of the checkpoints that rendered them; empty before `training samples`."""
    path = folder / SAMPLES / ASKED
    if not path.is_file():
        return {"prompts": [], "seeds": [], "checkpoints": []}
    found = json.loads(path.read_text("utf-8"))
    return {**found, "checkpoints": sorted(found["checkpoints"], key=lambda name: (name != "base", name))}


def trajectory(standings: Sequence[Mapping[str, Any]]) -> dict[int, list[tuple[int, float]]]:
    """Of every epoch its mean skill at each step at which the arena was asked, where it had votes."""
    found: dict[int, list[tuple[int, float]]] = {}
    for line in standings:
        for row in line.get("rows") or []:
            if row["mu"] is not None and row["votes"]:
                found.setdefault(row["epoch"], []).append((line["step"], row["mu"]))
    return found
