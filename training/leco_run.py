"""A run that teaches one concept: its folder, its stops and resumes, and the LoRA file at its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.checkpoint import CheckpointError
from generation.files import write_json
from generation.loading import Parts, load_parts
from training.checkpoint import check_space
from training.config import to_mapping
from training.errors import UserError
from training.hooks import Progress
from training.leco import Leco, LecoConfig, LossNotFinite
from training.lora_file import write_lora
from training.run import Stopped
from training.state import load_state, save_state
from training.watch import Display

FILE = "lora.safetensors"
SAVE_EVERY = 100  # steps
REPORT_SECONDS = 1.0


class LecoRun:
    """One run folder: ``run.json``, ``state.pt``, ``lora.safetensors``."""

    def __init__(
        self, base: Path, config: LecoConfig, out: Path, display: Display, stop: threading.Event, device: str = "cpu"
    ) -> None:
        """Load the base, and the state where there is one; raises UserError for what is missing or does not fit."""
        self._config, self._out, self._display, self._stop = config, out, display, stop
        self._base = _load_base(base, config, device)
        settings = {"leco": to_mapping(config), "base": self._base.info.sha256}
        self.name = f"leco-{canonical_sha256(settings)[:8]}"
        self._created_at = self._claim(settings)
        self._leco = Leco(self._base, config)
        state = load_state(out)
        if state is not None:
            self._leco.load(state)
            display.say(f"resumed {self.name} at step {self._leco.step} of {config.steps}")

    def _claim(self, settings: dict[str, Any]) -> str:
        """Make the folder, or check that it holds this very run; when the run began."""
        path = self._out / "run.json"
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if found["run"] != self.name:
                raise UserError(
                    f"{self._out} holds the run {found['run']}, with other settings or another base than {self.name}: "
                    "give the same ones to resume it, or another --out"
                )
            return str(found["created_at"])
        self._out.mkdir(parents=True, exist_ok=True)
        check_space(self._out)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(path, {"run": self.name, "created_at": now, **settings})
        return now

    def train(self, unrelated: Sequence[str] = ()) -> Path:
        """All steps that are left; returns the LoRA file, whose manifest says how far the concept and others moved.

        Raises:
            Stopped: asked to by the event; run again to go on at the very same step.
            UserError: the loss is not finite, or the disk is full; the last saved state stays.
        """
        begun, first = time.monotonic(), self._leco.step
        reported = 0.0
        while self._leco.step < self._config.steps:
            if self._stop.is_set():
                save_state(self._out, self._leco.state())
                raise Stopped(f"stopped after step {self._leco.step}; run the same command to go on")
            try:
                loss = self._leco.advance()
            except LossNotFinite as error:
                raise UserError(f"{error}; lower --lr or --guidance, and give another --out") from error
            if self._leco.step % SAVE_EVERY == 0:
                save_state(self._out, self._leco.state())
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                reported = now
                self._report(loss, (now - begun) / (self._leco.step - first))
        return self._finish(unrelated)

    def _report(self, loss: float, seconds: float) -> None:
        step, steps = self._leco.step, self._config.steps
        self._display.step(Progress("leco", "training", 1, 1, step, steps, loss=loss, eta_s=seconds * (steps - step)))

    def _finish(self, unrelated: Sequence[str]) -> Path:
        self._display.say("measuring")
        left, moved = self._leco.left(), {prompt: self._leco.moved(prompt) for prompt in unrelated}
        self._display.say(f"of the distance to the target {left:.1%} is left")
        for prompt, share in moved.items():
            self._display.say(f"moved by {share:.1%}: {prompt}")
        info = self._base.info
        manifest = {
            "run": self.name,
            "name": f"{self._config.action} {self._config.concept}",
            "step": self._leco.step,
            "parent": info.sha256,
            "licence": info.licence,
            "attribution": info.attribution,
            "dataset": {},
            "config": {"leco": to_mapping(self._config)},
            "measured": {"left": left, "moved": moved},
            "created_at": self._created_at,
        }
        write_lora(self._out / FILE, self._leco.adapters, info, manifest)
        save_state(self._out, self._leco.state())
        return self._out / FILE


def _load_base(base: Path, config: LecoConfig, device: str) -> Parts:
    try:
        parts = load_parts(base, device=device)
    except CheckpointError as error:
        raise UserError(f"the base cannot be loaded: {error}") from error
    if parts.info.prediction_type != "epsilon":
        raise UserError(f"{base} predicts {parts.info.prediction_type}: leco teaches checkpoints that predict epsilon")
    if config.size % parts.latent_factor:
        raise UserError(f"--size must be a multiple of {parts.latent_factor}, not {config.size}")
    return parts
