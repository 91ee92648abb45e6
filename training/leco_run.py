"""A run that teaches one concept: its folder, its stops and resumes, and the LoRA file at its end."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.files import write_json
from generation.loading import Parts
from training.base_loading import load_base
from training.checkpoint import check_space
from training.config import to_mapping
from training.errors import UserError, writing
from training.hooks import Progress
from training.leco import Leco, LossNotFinite
from training.leco_config import LecoConfig
from training.leco_launch import LecoLaunch
from training.lora_file import write_lora
from training.memory import enough_memory
from training.run import Stopped
from training.run_files import LAUNCH, LECO, RUN
from training.run_log import RunLog
from training.state import load_state, save_state
from training.watch import Display

SAVE_EVERY = 100  # steps
REPORT_SECONDS = 1.0
LESS = "fewer --batch, a smaller --size, a lower --rank, fewer --targets, or fewer prompts to --preserve"


class LecoRun:
    """One run folder: ``run.json``, ``launch.json``, ``state.pt``, ``steps.jsonl``, ``lora.safetensors``."""

    def __init__(
        self, launch: LecoLaunch, config: LecoConfig, out: Path, display: Display, stop: threading.Event
    ) -> None:
        """Load the base, and the state where there is one; raises UserError for what is missing or does not fit."""
        self._config, self._out, self._display, self._stop = config, out, display, stop
        self._launch = launch
        with enough_memory(lambda: "loading the base", LESS):
            self._base = _load_base(Path(launch.base), config, launch.device)
        settings = {"leco": to_mapping(config), "base": self._base.info.sha256}
        self.name = f"leco-{canonical_sha256(settings)[:8]}"
        self._created_at = self._claim(settings)
        with writing(out / LAUNCH):
            write_json(out / LAUNCH, to_mapping(launch))
        self._leco = Leco(self._base, config)
        self._log = RunLog(out)
        state = load_state(out)
        if state is not None:
            self._leco.load(state)
            display.say(f"resumed {self.name} at step {self._leco.step} of {config.steps}")
        self._log.cut(self._leco.step)

    def _claim(self, settings: dict[str, Any]) -> str:
        """Make the folder, or check that it holds this very run; when the run began."""
        path = self._out / RUN
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
        with writing(path):
            write_json(path, {"run": self.name, "created_at": now, **settings})
        return now

    def train(self) -> Path:
        """All steps that are left; returns the LoRA file, whose manifest says how far the concept and others moved.

        Raises:
            Stopped: asked to by the event; a resume goes on at the very same step.
            UserError: the loss is not finite, memory or disk are full; the last saved state stays.
        """
        begun, first = time.monotonic(), self._leco.step
        reported = 0.0
        while self._leco.step < self._config.steps:
            if self._stop.is_set():
                self._save()
                raise Stopped(f"stopped after step {self._leco.step}; `python -m training resume {self._out}` goes on")
            loss = self._advance()
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                reported = now
                self._report(loss, (now - begun) / (self._leco.step - first))
        with enough_memory(lambda: "measuring", LESS):
            return self._finish()

    def _advance(self) -> float:
        """One step: its line in the log, and now and then the state."""
        step, begun = self._leco.step, time.perf_counter()
        try:
            with enough_memory(lambda: f"at step {step}", LESS):
                loss = self._leco.advance()
        except LossNotFinite as error:
            raise UserError(f"{error}; lower --lr or --guidance, and give another --out") from error
        speed = {"wall_s": round(time.perf_counter() - begun, 4)}
        self._log.step({"step": step + 1, "loss": loss, "lr": self._leco.rate(step), "speed": speed})
        if self._leco.step % SAVE_EVERY == 0:
            self._save()
        return loss

    def _save(self) -> None:
        self._log.sync()
        save_state(self._out, self._leco.state())

    def _report(self, loss: float, seconds: float) -> None:
        step, steps = self._leco.step, self._config.steps
        self._display.step(Progress("leco", "training", 1, 1, step, steps, loss=loss, eta_s=seconds * (steps - step)))

    def _finish(self) -> Path:
        self._display.say("measuring")
        left, moved = self._leco.left(), {prompt: self._leco.moved(prompt) for prompt in self._launch.unrelated}
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
        write_lora(self._out / LECO, self._leco.adapters, info, manifest)
        self._save()
        return self._out / LECO


def _load_base(base: Path, config: LecoConfig, device: str) -> Parts:
    parts = load_base(base, device)
    if parts.info.prediction_type != "epsilon":
        raise UserError(f"{base} predicts {parts.info.prediction_type}: leco teaches checkpoints that predict epsilon")
    if config.size % parts.latent_factor:
        raise UserError(f"--size must be a multiple of {parts.latent_factor}, not {config.size}")
    return parts
