"""A run's state on disk: replaced only by a whole new one, so that a kill or a full disk leaves the one before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from generation.files import remove, whole
from training.errors import UserError, writing

STATE = "state.pt"


def save_state(run: Path, state: Mapping[str, Any]) -> None:
    """Write the training state of a run folder: to a temporary file, to the disk itself, then under its name.

    Raises:
        UserError: the disk is full or not writable; the state before stays.
    """
    with writing(run / STATE), whole(run / STATE) as partial, partial.open("wb") as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:  # torch's word for a disk that is full
            raise OSError(str(error)) from error
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave the new name with the old disk's blocks


def load_state(run: Path) -> dict[str, Any] | None:
    """The training state of a run folder, None at its start.

    Raises:
        UserError: the file is damaged.
    """
    path = run / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises several kinds for a damaged file
        raise UserError(f"{path} cannot be read: {error}; delete it to start this run again") from error
    return state


def prune_checkpoints(folders: Sequence[Path], keep: int, keep_every: int) -> list[Path]:
    """Delete old checkpoints or LoRAs (one an epoch, from the first on); returns those that were deleted.

    The ``keep`` newest stay (0: all), and those of every ``keep_every``-th epoch (0: none besides).
    """
    old = folders[: len(folders) - keep] if keep else []
    doomed = [
        path for epoch, path in enumerate(old, 1) if path.exists() and not (keep_every and epoch % keep_every == 0)
    ]
    for path in doomed:
        # Renamed first: a kill in the middle must not leave a half checkpoint under a whole one's name.
        gone = path.with_name(f"{path.name}.partial")
        os.replace(path, gone)
        remove(gone)
    return doomed
