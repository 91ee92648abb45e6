"""A training run: epochs of steps, a whole checkpoint after each, a line in the log, a word to the arena; resumable."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from generation.canonical import canonical_sha256
from generation.checkpoint import CheckpointError
from generation.files import write_json
from generation.loading import Parts, load_parts
from training.checkpoint import (
    check_space,
    identity,
    load_state,
    point_latest,
    save_state,
    write_checkpoint,
)
from training.config import Preset, to_mapping
from training.data import Batch, batch_of, choose_posts, load_pool, shares_of
from training.engine import LossNotFinite, StepResult, Trainer
from training.errors import UserError
from training.folder import read_manifest, with_vocabulary
from training.hooks import ArenaHook, Progress, format_standings

REPORT_SECONDS = 5.0


class Stopped(Exception):
    """The run was asked to stop; its state is saved."""


class Display(Protocol):
    """Where a person watches the run."""

    def say(self, text: str) -> None:
        """One line."""

    def step(self, progress: Progress) -> None:
        """Where the run stands now."""


@dataclass(frozen=True)
class RunPlan:
    """What is trained, on what, from what, into which folder."""

    preset: Preset
    data: Path
    base: Path
    out: Path


class Run:
    """One run folder: ``run.json``, ``epoch-NN/`` checkpoints, ``latest``, ``state.pt``, ``log.jsonl``."""

    def __init__(self, plan: RunPlan, display: Display, stop: threading.Event) -> None:
        """Load the base and the data; raises UserError for whatever is missing or does not fit."""
        self.plan = plan
        self.config = plan.preset.diffusion
        self._display = display
        self._stop = stop
        self._arena: ArenaHook | None = None
        manifest = read_manifest(plan.data)
        self._dataset = {key: manifest[key] for key in ("posts", "posts_sha256", "images_sha256", "seed", "command")}
        self._attribution = "; ".join(style["attribution"] for style in manifest["styles"])
        self._parts = _load_base(plan.base)
        self.settings: dict[str, Any] = {"preset": to_mapping(plan.preset), "dataset": self._dataset}
        self.settings["base"] = self._parts.info.sha256
        self.name = f"{plan.preset.name}-{canonical_sha256(self.settings)[:8]}"
        self._claim()
        self._trainer = Trainer(self._parts, self.config, self._batches())
        state = load_state(plan.out)
        if state is not None:
            self._trainer.load(state)
            display.say(f"resumed {self.name} at step {self._trainer.step} of {self.config.steps}")

    def connect(self, arena: ArenaHook) -> None:
        """From now on tell the arena; first what it has not got yet."""
        self._arena = arena
        arena.register()

    def _claim(self) -> None:
        """Make the run folder, or check that it holds this very run."""
        out = self.plan.out
        out.mkdir(parents=True, exist_ok=True)
        check_space(out)
        path = out / "run.json"
        if not path.exists():
            write_json(path, {"run": self.name, **self.settings})
            return
        there = json.loads(path.read_text("utf-8"))["run"]
        if there != self.name:
            raise UserError(
                f"{out} holds the run {there}, with other settings, data or base than {self.name}: "
                "give the same ones to resume it, or another --out"
            )

    def _batches(self) -> Callable[[int], Batch]:
        """The batch of a step, from the preset's posts and its share of general ones."""
        plan, parts, shares = self.plan, self._parts, shares_of(self.config)
        wanted = [choose_posts(plan.data, plan.preset.posts)]
        if shares[1]:
            wanted.append(choose_posts(plan.data, "general")[: shares[1] * self.config.steps])
        pools = [load_pool(parts.vae, parts.latent_mean, parts.latent_std, plan.data, posts) for posts in wanted]
        captions = with_vocabulary(plan.preset.caption, plan.data)
        return partial(batch_of, pools, shares[: len(pools)], captions, self.config.seed)

    def train(self) -> Path:
        """All epochs that are left; returns the last checkpoint's folder.

        Raises:
            Stopped: asked to by the event; run again to go on at the very same step.
            UserError: the loss is not finite, or the disk is full; the last good checkpoint is named and stays.
        """
        meter = Meter(self._trainer.step)
        try:
            while self._trainer.step < self.config.steps:
                self._advance(meter)
        except LossNotFinite as error:
            self._report(meter, "failed", str(error))
            raise UserError(f"{error}; the last good checkpoint is {self._last()}; lower the learning rates") from error
        except UserError as error:
            self._report(meter, "failed", str(error))
            raise
        self._report(meter, "done", "")
        return self.folder(self.config.epochs)

    def folder(self, epoch: int) -> Path:
        """Where the checkpoint of ``epoch`` (1-based) lies."""
        return self.plan.out / f"epoch-{epoch:02d}"

    def _advance(self, meter: Meter) -> None:
        """One step and what follows from it."""
        if self._stop.is_set():
            save_state(self.plan.out, self._trainer.state())
            self._report(meter, "stopped", "run the same command to go on")
            raise Stopped(f"stopped after step {self._trainer.step}; run the same command to go on")
        meter.add(self._trainer.advance(), self.config.batch)
        if self._trainer.step % self.config.steps_per_epoch == 0:
            self._finish_epoch(self._trainer.step // self.config.steps_per_epoch, meter)
        elif meter.due():
            self._report(meter, "training", "")

    def _finish_epoch(self, epoch: int, meter: Meter) -> None:
        """Checkpoint, then state, then log and arena: a kill between any two repeats, never loses."""
        with self._trainer.averaged():
            info = write_checkpoint(self.folder(epoch), self._parts, self._fields(epoch))
        save_state(self.plan.out, self._trainer.state())
        point_latest(self.plan.out, self.folder(epoch).name)
        self._report(meter, "training", f"epoch {epoch} saved")
        standings = None
        if self._arena is not None:
            self._arena.register()
            standings = self._arena.standings()
            self._display.say(format_standings(standings))
        self._log({"epoch": epoch, "step": self._trainer.step, "sha256": info.sha256, **meter.summary(),
                   "standings": standings})  # fmt: skip

    def _fields(self, epoch: int) -> dict[str, Any]:
        return identity(
            self._parts,
            run=self.name,
            epoch=epoch,
            step=self._trainer.step,
            name=f"{self.plan.preset.title} epoch {epoch}",
            preset=self.plan.preset.name,
            parent=self._parts.info.sha256,
            attribution=self._attribution,
            dataset=self._dataset,
            config=self.settings["preset"],
        )

    def _report(self, meter: Meter, state: str, message: str) -> None:
        step = self._trainer.step
        progress = Progress(
            preset=self.plan.preset.name,
            state=state,
            epoch=min(self.config.epochs, step // self.config.steps_per_epoch + 1),
            epochs=self.config.epochs,
            step=step,
            total_steps=self.config.steps,
            loss=meter.loss,
            images_per_s=meter.images_per_s,
            eta_s=meter.eta(self.config.steps - step, self.config.batch),
            message=message,
        )
        self._display.step(progress)
        if self._arena is not None:
            self._arena.progress(progress)

    def _log(self, line: dict[str, Any]) -> None:
        with (self.plan.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _last(self) -> str:
        done = self._trainer.step // self.config.steps_per_epoch
        return str(self.folder(done)) if done else f"none of this run, but its base {self.plan.base}"


def _load_base(folder: Path) -> Parts:
    try:
        return load_parts(folder)
    except CheckpointError as error:
        raise UserError(f"the base cannot be loaded: {error}") from error


def with_steps(preset: Preset, **changes: int | None) -> Preset:
    """The preset with other ``epochs``, ``steps_per_epoch``, ``batch`` or ``seed``; None leaves one as it is."""
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(preset, diffusion=replace(preset.diffusion, **given))


class Meter:
    """Running loss and speed of a run in this process."""

    def __init__(self, first_step: int) -> None:
        self.first_step = first_step
        self.loss: float | None = None
        self.images_per_s: float | None = None
        self._cpu = time.process_time()
        self._epoch_start = self._window_start = time.monotonic()
        self._window_images = 0
        self._losses: list[float] = []

    def add(self, result: StepResult, images: int) -> None:
        """Take in one finished step."""
        self._losses.append(result.loss)
        self._window_images += images

    def due(self) -> bool:
        """Whether it is time for a report; if so, loss and speed are those since the last one."""
        seconds = time.monotonic() - self._window_start
        if seconds < REPORT_SECONDS:
            return False
        recent = self._losses[-100:]
        self.loss = sum(recent) / len(recent)
        self.images_per_s = self._window_images / seconds
        self._window_start, self._window_images = time.monotonic(), 0
        return True

    def eta(self, steps: int, batch: int) -> float | None:
        """Seconds for ``steps`` more steps at the present speed."""
        return None if not self.images_per_s else steps * batch / self.images_per_s

    def summary(self) -> dict[str, float]:
        """Mean loss, wall and processor seconds of the epoch; the next epoch starts."""
        now, cpu = time.monotonic(), time.process_time()
        line = {
            "loss": sum(self._losses) / max(1, len(self._losses)),
            "steps": len(self._losses),
            "wall_s": round(now - self._epoch_start, 2),
            "cpu_s": round(cpu - self._cpu, 2),
        }
        self._losses, self._epoch_start, self._cpu = [], now, cpu
        return line
