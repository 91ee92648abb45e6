"""The base that a run trains from, loaded strictly and as the run wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from generation.checkpoint import CheckpointError
from generation.families import SDXL
from generation.loading import Parts, load_parts
from training.errors import UserError
from training.train_config import ObjectiveConfig

OBJECTIVE = {"prediction": "prediction_type", "zero_snr": "zero_snr", "pad_mask": "pad_mask"}  # of a checkpoint, too


def load_base(folder: Path, device: str) -> Parts:
    """The parts of an SDXL checkpoint folder.

    Raises:
        UserError: it is not whole and sound, or of another architecture.
    """
    try:
        parts = load_parts(folder, device=device)
    except CheckpointError as error:
        raise UserError(f"the base cannot be loaded: {error}") from error
    if parts.family != SDXL:
        raise UserError(f"the base {folder} is {parts.family.name}; only {SDXL.name} is trained")
    return parts


def adopting(parts: Parts, objective: ObjectiveConfig, say: Callable[[str], None]) -> Parts:
    """The parts, from now on with what the objective says of prediction, schedule and padding; ``say`` what changes."""
    wanted = {field: getattr(objective, name) for name, field in OBJECTIVE.items()}
    for name, field in OBJECTIVE.items():
        before = getattr(parts.info, field)
        if before != wanted[field]:
            say(f"caution: the base was trained with {name} {before}, this run is with {wanted[field]}")
    return replace(parts, info=replace(parts.info, **wanted))
