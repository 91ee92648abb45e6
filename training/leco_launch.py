"""How a run that teaches a concept was started: what `resume` and `samples` need besides its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import from_mapping
from training.errors import UserError
from training.leco_config import LecoConfig
from training.run_files import LAUNCH, RUN


@dataclass(frozen=True)
class LecoLaunch:
    """Where the base lies (absolute), on what the run trains, and which prompts are measured at its end."""

    base: str
    device: str = "cpu"
    threads: int = 1
    unrelated: tuple[str, ...] = ()


def is_leco(run: Path) -> bool:
    """Whether a folder is that of a run that teaches a concept."""
    return (run / RUN).is_file() and "leco" in _read(run / RUN)


def read_leco(run: Path) -> tuple[LecoLaunch, LecoConfig]:
    """How the run in this folder was started, and what it teaches.

    Raises:
        UserError: one of its files is missing or damaged.
    """
    if not (run / LAUNCH).is_file():
        raise UserError(f"{run / LAUNCH} is missing: give the command that began the run again")
    taught = from_mapping(LecoConfig, _read(run / RUN)["leco"], str(run / RUN))
    return from_mapping(LecoLaunch, _read(run / LAUNCH), str(run / LAUNCH)), taught


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): run the command that began the run again") from error
    return values
