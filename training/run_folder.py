"""A run's folder: which run it holds, and whether what comes back to it is the same run (docs/resume.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.files import write_json, write_text
from training.config import Preset, to_mapping
from training.errors import UserError, writing
from training.toml_writer import to_toml

# What may change when a run is resumed: it moves work and files about, and no result beyond the rounding of sums.
FREE = ("micro_batch", "gradient_checkpointing", "save_every", "keep", "keep_every")
NAMED = 5  # differences that a refusal lists


class RunFolder:
    """``run.json`` and ``config.toml`` of a run: settings, data set and base, with their hash in the run's name."""

    def __init__(self, out: Path, preset: Preset, dataset: Mapping[str, Any], base_sha256: str) -> None:
        self._out, self._preset = out, preset
        self.settings: dict[str, Any] = {"preset": to_mapping(preset), "dataset": dict(dataset), "base": base_sha256}
        self.name = f"{preset.name}-{canonical_sha256(_fixed(self.settings))[:8]}"

    def claim(self) -> None:
        """Make the folder, or check that it holds this very run.

        Raises:
            UserError: it holds another one; what differs is named.
        """
        with writing(self._out):
            self._out.mkdir(parents=True, exist_ok=True)
        path = self._out / "run.json"
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            differing = list(_differences(_fixed(found), _fixed(self.settings)))
            if differing:
                raise UserError(
                    f"{self._out} holds the run {found['run']}, and this one differs in "
                    f"{'; '.join(differing[:NAMED])}: "
                    "give the same settings, data and base to resume it, or another --out"
                )
        config = to_mapping(self._preset)
        config_sha256 = canonical_sha256(config)
        with writing(self._out):
            write_text(self._out / "config.toml", f"# sha256 {config_sha256}\n{to_toml(config)}")
            write_json(path, {"run": self.name, "config_sha256": config_sha256, **self.settings})

    def check_state(self, state: Mapping[str, Any], pictures: str) -> None:
        """Raise UserError where a state is of another run, or its pictures are no longer those of the data set."""
        if state.get("run") != self.name:
            raise UserError(f"{self._out} has the state of {state.get('run')}, not of {self.name}: give another --out")
        if state["pictures"] and pictures and state["pictures"] != pictures:
            raise UserError(
                "the pictures of the data set are not those that this run began with: "
                "restore them, or give another --out"
            )


def _fixed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that may not change within a run."""
    preset = {name: value for name, value in settings["preset"].items() if name != "latents" and value is not None}
    preset["diffusion"] = {name: value for name, value in preset["diffusion"].items() if name not in FREE}
    return {"preset": preset, "dataset": settings["dataset"], "base": settings["base"]}


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Each differing value by its path."""
    for name in sorted(set(there) | set(here)):
        one, other = there.get(name), here.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{path}{name}.")
        elif one != other:
            yield f"{path}{name} ({one!r} there, {other!r} here)"
