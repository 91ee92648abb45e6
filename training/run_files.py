"""Names of what lies in a run's folder, for whoever reads one without training. No torch."""

from __future__ import annotations

from pathlib import Path

from generation.checkpoint import INFO_FILE

RUN = "run.json"  # preset, data set and base; of a run without pictures, what it teaches
LAUNCH = "launch.json"  # where things are: all that `resume` needs besides
STEPS, EPOCHS, STANDINGS = "steps.jsonl", "log.jsonl", "standings.jsonl"
LECO = "lora.safetensors"  # what a run without pictures leaves at its end
SAMPLES, ASKED = "samples", "samples.json"  # the folder of `training.samples`, and what was asked of it


def epoch_of(path: Path) -> int:
    """The epoch whose checkpoint folder, or LoRA, this is."""
    return int(path.stem.removeprefix("epoch-"))


def checkpoints_in(run: Path) -> list[Path]:
    """The whole checkpoint folders of a run, the earliest epoch first."""
    return sorted((file.parent for file in run.glob(f"epoch-*[0-9]/{INFO_FILE}")), key=epoch_of)


def loras_in(run: Path) -> list[Path]:
    """The LoRAs of a run, the earliest epoch first."""
    return sorted(run.glob("epoch-*[0-9].safetensors"), key=epoch_of)
