"""A run's log files: a line for every step, and one for every epoch; what a kill made obsolete is cut off."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from generation.files import write_text
from training.errors import writing
from training.meter import rates
from training.run_files import EPOCHS, STANDINGS, STEPS


class Events(Protocol):
    """Where lines go besides the files."""

    def add(self, name: str, line: Mapping[str, Any]) -> None:
        """Take in a line of one of the files."""


class RunLog:
    """The ``.jsonl`` files of a run folder; every line says its ``step``, finished steps from 1 on.

    A disk that is full or not writable raises UserError.

    What is measured in seconds stands under ``speed``; all else is the same in every repetition of a run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: Events | None = None

    def mirror(self, events: Events) -> None:
        """From now on give every line to ``events`` as well."""
        self._events = events

    def cut(self, step: int) -> None:
        """Leave only the lines up to ``step``: the state is no newer, and the steps after it are done again."""
        for name in (STEPS, EPOCHS, STANDINGS):
            path = self._folder / name
            lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            if len(kept) < len(lines):
                with writing(path):
                    write_text(path, "".join(kept))

    def step(self, line: Mapping[str, Any]) -> None:
        """A finished step."""
        self._add(STEPS, line)

    def epoch(self, epoch: int, step: int, sha256: str) -> None:
        """An epoch that ends with ``step``, its checkpoint's hash, and the means over its steps, whoever did them."""
        with (self._folder / STEPS).open(encoding="utf-8") as file:
            lines = [line for line in map(json.loads, file) if line["epoch"] == epoch]
        means = {name: sum(line[name] for line in lines) / len(lines) for name in ("loss", "raw_loss")}
        spent = {name: round(sum(line["speed"][name] for line in lines), 2) for name in ("wall_s", "cpu_s", "wait_s")}
        images, work = sum(line["images"] for line in lines), [line["speed"]["mfu"] for line in lines]
        mfu = None if None in work else fmean(work, [line["speed"]["wall_s"] for line in lines])
        speed = {**spent, **rates(spent["wall_s"], images, spent["wait_s"], mfu)}
        counts = {"epoch": epoch, "step": step, "steps": len(lines), "images": images}
        self._add(EPOCHS, {**counts, **means, "sha256": sha256, "speed": speed})

    def standings(self, line: Mapping[str, Any]) -> None:
        """What the arena said."""
        self._add(STANDINGS, line)

    def _add(self, name: str, line: Mapping[str, Any]) -> None:
        with writing(self._folder / name), (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._events is not None:
            self._events.add(name, line)

    def sync(self) -> None:
        """To the disk itself, as a state is that the lines must not be older than."""
        for name in (STEPS, EPOCHS):
            if (self._folder / name).exists():
                with writing(self._folder / name), (self._folder / name).open("rb") as file:
                    os.fsync(file.fileno())
