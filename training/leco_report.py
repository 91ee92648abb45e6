"""The report on a run that teaches a concept: what it teaches, its loss, how far things moved, samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generation.checkpoint import file_sha256
from generation.header import manifest_in
from generation.lora_file import read_lora_info
from training.curves import Line, curves
from training.errors import UserError
from training.page import figure, figures, header, section, table, whole_page
from training.plots import number, percent
from training.run_files import LECO, RUN, STEPS
from training.run_report import lines_of, samples_of
from training.run_report_page import Values, all_settings, from_base, samples_section, smooth


def gather(folder: Path) -> dict[str, Any]:
    """The whole report as plain JSON values.

    Raises:
        UserError: no step of the run is finished yet, or a line of its log is damaged.
    """
    settings = json.loads((folder / RUN).read_text("utf-8"))
    steps = list(lines_of(folder / STEPS))
    if not steps:
        raise UserError(f"{folder} is a run without a finished step: train first")
    return {
        "run": settings["run"],
        "folder": str(folder.resolve()),
        "settings": {name: settings[name] for name in ("leco", "base", "created_at")},
        "steps": steps[-1]["step"],
        "seconds": sum(line["speed"]["wall_s"] for line in steps),
        "curve": [{name: line[name] for name in ("step", "loss", "lr")} for line in steps],
        "file": _file(folder / LECO),
        "samples": samples_of(folder),
    }


def _file(path: Path) -> dict[str, Any] | None:
    """The finished LoRA: what it hashes to, and what was measured at its end."""
    if not path.is_file():
        return None
    measured = manifest_in(read_lora_info(path).metadata, path)["measured"]
    return {"name": path.name, "sha256": file_sha256(path), **measured}


def page(values: Values) -> str:
    """The page of `gather`'s values."""
    sections = [_head(values), _loss(values), _measured(values), samples_section(values), _settings(values)]
    return whole_page(f"Run {values['run']}", sections)


def _head(values: Values) -> str:
    taught = values["settings"]["leco"]
    facts = [
        (taught["concept"], "is erased" if taught["action"] == "erase" else "is enhanced"),
        (number(values["steps"]), f"of {number(taught['steps'])} steps"),
        (f"{values['curve'][-1]['loss']:.3g}", "loss at the end"),
        (f"{values['seconds'] / values['steps']:.3g} s", "a step"),
    ]
    if values["file"]:
        facts.append((percent(values["file"]["left"]), "of the distance to the target left"))
    return header(values["run"], facts)


def _loss(values: Values) -> str:
    loss, rate = ([(point["step"], point[name]) for point in values["curve"]] for name in ("loss", "lr"))
    lines = [Line(loss, "before"), Line(smooth(loss), "after")]
    return section(
        "Loss",
        "The squared distance of the answer to the concept from its target, and of the answers that are preserved.",
        figures(
            figure("loss by step; bold: means over a twelfth of it", curves(lines, "loss by step", below="step")),
            figure("learning rate", curves([Line(rate, "after")], "learning rate by step", below="step")),
        ),
    )


def _measured(values: Values) -> str:
    if values["file"] is None:
        return section("How far things moved", "Measured when the run ends.")
    moved = [(prompt, percent(share)) for prompt, share in values["file"]["moved"].items()]
    return section(
        "How far things moved",
        f"Of the distance to the target {percent(values['file']['left'])} is left, on noise that was not trained on. "
        + ("Prompts that should stay:" if moved else "No --unrelated prompts were measured."),
        table(("prompt", "moved by"), moved) if moved else "",
    )


def _settings(values: Values) -> str:
    return section("Settings", from_base(values), all_settings(values["settings"]["leco"]))
