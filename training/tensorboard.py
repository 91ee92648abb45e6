"""A run's records as scalars for TensorBoard, an optional package (extra ``tensorboard``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.run_files import STEPS

FOLDER = "tensorboard"
SPEED = ("images_per_s", "data_wait", "mfu")


class TensorBoard:
    """Writes every line's numbers at its step; a step that is written again after a kill replaces the first one."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def add(self, name: str, line: Mapping[str, Any]) -> None:
        """The scalars of one line of the log; those that are not known are left out."""
        for tag, value in scalars(name, line):
            if value is not None:
                self._writer.add_scalar(tag, value, line["step"])
        if name != STEPS:
            self._writer.flush()


def scalars(name: str, line: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Tag and value of every number that makes a curve."""
    if name == STEPS:
        yield "loss/weighted", line["loss"]
        yield "loss/raw", line["raw_loss"]
        yield "gradient norm", line["grad_norm"]
        yield "rate/unet", line["unet_lr"]
        yield "rate/text", line["text_lr"]
        for speed in SPEED:
            yield f"speed/{speed}", line["speed"][speed]
        for tenth, (count, total) in enumerate(line["by_timestep"]):
            yield f"raw loss by timestep/{100 * tenth:03d}", total / count if count else None
    for row in line.get("rows", ()):
        yield f"arena/epoch {row['epoch']}", row["value"]
        yield f"arena votes/epoch {row['epoch']}", row["votes"]


def open_events(run: Path, step: int) -> TensorBoard:
    """A writer into ``<run>/tensorboard``; what an earlier process wrote after ``step`` is hidden.

    Raises:
        UserError: the package is not installed.
    """
    return TensorBoard(_writer_class()(str(run / FOLDER), purge_step=step + 1))


def check_installed() -> None:
    """Raises UserError where the package is missing."""
    _writer_class()


def _writer_class() -> Any:
    try:
        return import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise UserError(
            f"--tensorboard needs the package tensorboard ({error}): pip install 'illustration-arena[tensorboard]', "
            "or leave the option out; log.jsonl has the same numbers"
        ) from error
