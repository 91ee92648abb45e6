"""A training run: epochs of steps, a checkpoint or LoRA after each, a log, a word to the arena; resumable."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from training.adapters import Adapters
from training.base_loading import adopting, load_base
from training.checkpoint import WEIGHTS, check_space, point_latest
from training.config import HOME, Preset
from training.denoiser import TRAINED
from training.engine import LossNotFinite, Trainer
from training.epochs import Epochs
from training.errors import UserError
from training.feed import Feed, ReadAhead
from training.feedback import Feedback
from training.flops import ImageWork
from training.folder import read_manifest
from training.hooks import ArenaHook, Progress
from training.memory import GIB, enough_memory, state_bytes
from training.meter import Meter
from training.preference import Preference, Preferred
from training.processes import Alone, Processes
from training.run_folder import RunFolder
from training.run_log import Events, RunLog
from training.state import STATE, load_state, save_state
from training.watch import Display, Silent


class Stopped(Exception):
    """The run was asked to stop, or people prefer an earlier epoch; its state is saved."""

    def __init__(self, message: str, preferred: Preferred | None = None) -> None:
        super().__init__(message)
        self.preferred = preferred


@dataclass(frozen=True)
class RunPlan:
    """What is trained, on what, from what, into which folder; latents are kept in ``cache``.

    ``peak_tflops`` of one device, where it is known.
    """

    preset: Preset
    data: Path
    base: Path
    out: Path
    cache: Path = HOME / "latents"
    peak_tflops: float | None = None


class Run:
    """One run: its folder (`training.run_folder`), its networks, its data, its place in time."""

    def __init__(
        self, plan: RunPlan, display: Display, stop: threading.Event, processes: Processes | None = None
    ) -> None:
        """Load base, data and state; raises UserError for whatever is missing, changed or does not fit."""
        self.plan = plan
        self.config = plan.preset.diffusion
        self._processes = processes or Alone()
        self._leads = self._processes.rank == 0
        self._display = display if self._leads else Silent()
        self._stop = stop
        self._feedback: Feedback | None = None
        self._log = RunLog(plan.out)
        manifest = read_manifest(plan.data)
        dataset = {key: manifest[key] for key in ("posts", "posts_sha256", "images_sha256", "seed", "command")}
        with enough_memory(lambda: "loading the base"):
            base = load_base(plan.base, str(self._processes.device))
        self._parts = adopting(base, plan.preset.objective, self._display.say)
        self._feed = Feed(plan.data, plan.preset, self._parts, plan.cache,
                          rank=self._processes.rank, world=self._processes.world)  # fmt: skip
        self._timeline = self._feed.timeline
        lora = plan.preset.lora
        adapters = Adapters(self._parts, lora, self.config.seed) if lora else None
        self.folder_of_run = RunFolder(plan.out, plan.preset, dataset, self._parts.info.sha256)
        self.name = self.folder_of_run.name
        self._epochs = Epochs(plan.out, plan.preset, self._parts, adapters, self.name, dataset, manifest)
        if self._leads:
            self.folder_of_run.claim()
        for caution in plan.preset.objective.cautions(self.config.batch):
            self._display.say(f"caution: {caution}")
        self._ahead = ReadAhead(self._feed.batches, self._timeline.steps)
        with enough_memory(lambda: "taking up the weights"):
            self._trainer = Trainer(self._parts, plan.preset, self._timeline, self._ahead, self._processes)
        self._check_sizes()
        self._pictures = ""
        with enough_memory(lambda: "encoding pictures", "smaller bucket sizes, or a cache that another device filled"):
            self._encode()
        self._resume()

    def _check_sizes(self) -> None:
        """Say what the run holds in memory, and refuse a disk that cannot hold what it saves."""
        learning = [getattr(self._parts, name) for name in TRAINED]
        kind, precision = self.plan.preset.optimizer, self.config.precision
        held = state_bytes(learning, kind, precision) / GIB
        self._display.say(f"weights, gradients, moments and averages: {held:.2f} GiB in all, besides activations")
        state, before = state_bytes(learning, kind, precision, gradients=False), self.plan.out / STATE
        half = 0 if self.plan.preset.lora else 2 * sum(
            value.numel() for name in WEIGHTS for value in getattr(self._parts, name).parameters()
        )  # fmt: skip
        if self._leads:
            check_space(self.plan.out, 2 * state + half - (before.stat().st_size if before.exists() else 0))

    def _encode(self) -> None:
        """Latents first, each process its part; the run knows its pictures by what they hash to."""
        self._pictures = self._feed.encode_all(self._display.say, self._stop.is_set)
        self._processes.wait()
        self._feed.reload()

    def _resume(self) -> None:
        state = load_state(self.plan.out)
        if state is not None:
            self.folder_of_run.check_state(state, self._pictures)
            with enough_memory(lambda: "taking up the saved state"):
                self._trainer.load(state)
            self._display.say(f"resumed {self.name} at step {self._trainer.step} of {self._timeline.steps}")
            if state["world"] != self._processes.world:
                self._display.say(f"by {self._processes.world} processes, before by {state['world']}: "
                                  "the batches are the same, sums may round differently")  # fmt: skip
        if self._leads:
            self._log.cut(self.step)
            done = self._timeline.place(self.step)[0]
            if done and self.folder(done).exists():  # a kill may have come between the state and this
                point_latest(self.plan.out, self.folder(done).name)

    def connect(self, arena: ArenaHook, preference: Preference | None = None) -> None:
        """From now on tell the arena, first what it has not got yet, and stop where ``preference`` says so."""
        self._feedback = Feedback(arena, preference, self._log)
        arena.register()

    def mirror(self, events: Events) -> None:
        """From now on give every line of the log to ``events`` as well."""
        self._log.mirror(events)

    @property
    def step(self) -> int:
        """Finished steps."""
        return self._trainer.step

    def train(self) -> Path:
        """All epochs that are left; returns the last checkpoint's folder.

        Raises:
            Stopped: asked to by the event, or people prefer an earlier epoch; a resume goes on at the very same step.
            UserError: the loss is not finite, memory or disk are full; the last good checkpoint is named and stays.
        """
        lora = self.plan.preset.lora
        text = self.plan.preset.optimizer.text_lr > 0 and (lora is None or "text" in lora.targets)
        work = ImageWork(self._parts, text=text, chunks=self.config.text_chunks, frozen=lora is not None)
        peak = self.plan.peak_tflops and self.plan.peak_tflops * self._processes.world
        meter = Meter(work.tflop, peak)
        try:
            with closing(self._ahead):
                if self._feedback is not None:
                    self._feedback.look(self.step)
                while self._trainer.step < self._timeline.steps:
                    self._advance(meter)
        except LossNotFinite as error:
            self._report(meter, "failed", str(error))
            raise UserError(f"{error}; the last good checkpoint is {self._last()}; lower the learning rates") from error
        except UserError as error:
            self._report(meter, "failed", str(error))
            raise
        self._report(meter, "done", "")
        return self.folder(self.config.epochs)

    def say(self, text: str) -> None:
        """One line to whoever watches, from the leading process."""
        self._display.say(text)

    def folder(self, epoch: int) -> Path:
        """Where the checkpoint of ``epoch`` (1-based) lies; of a LoRA, its file."""
        return self._epochs.path(epoch)

    def _advance(self, meter: Meter) -> None:
        """One step and what follows from it."""
        if self._processes.any(self._stop.is_set() or self._preferred() is not None):
            self._leave(meter)
        before = self._clocks()
        epoch = self._timeline.place(self._trainer.step)[0]
        result = self._trainer.advance()
        spent = {name: round(now - before[name], 4) for name, now in self._clocks().items()}
        speed = meter.add(result, spent)
        if self._leads:
            self._log.step({"epoch": epoch + 1, **asdict(result), "speed": speed})
        if self._timeline.place(result.step) == (epoch + 1, 0):
            self._finish_epoch(epoch + 1, meter)
        elif self.config.save_every and result.step % self.config.save_every == 0:
            self._save()
        if meter.due():
            self._report(meter, "training", "")
            if self._feedback is not None and self._feedback.due():
                self._feedback.look(self.step)

    def _preferred(self) -> Preferred | None:
        return self._feedback.preferred if self._feedback is not None else None

    def _leave(self, meter: Meter) -> None:
        """Save the state and say why: somebody asked for it, or an earlier epoch is preferred."""
        self._save()
        message = f"stopped after step {self.step}; `python -m training resume {self.plan.out}` goes on"
        preferred = self._preferred()
        if preferred is not None:
            message = (f"stopped after step {self.step}: {preferred}; "
                       f"`python -m training resume {self.plan.out} --keep-going` trains on all the same")  # fmt: skip
        self._report(meter, "stopped", message)
        raise Stopped(message, preferred)

    def _clocks(self) -> dict[str, float]:
        return {"wall_s": time.perf_counter(), "cpu_s": time.process_time(), "wait_s": self._ahead.waited}

    def _save(self) -> None:
        """The state, once the log is on the disk: a resumed run finds all lines up to its step."""
        state = {**self._trainer.state(), "run": self.name, "pictures": self._pictures, "world": self._processes.world}
        if self._leads:
            self._log.sync()
            save_state(self.plan.out, state)

    def _finish_epoch(self, epoch: int, meter: Meter) -> None:
        """Checkpoint, log, state, then the arena: a kill between any two repeats, never loses."""
        self._write_checkpoint(epoch)
        self._save()
        self._report(meter, "training", f"epoch {epoch} saved")
        if self._leads:
            point_latest(self.plan.out, self.folder(epoch).name)
            if self._feedback is not None:
                self._feedback.arena.register()
                self._feedback.look(self.step)
                self._display.say(self._feedback.standings())
            for gone in self._epochs.prune(epoch):
                self._display.say(f"{gone.name} deleted: keep = {self.config.keep}")

    def _write_checkpoint(self, epoch: int) -> None:
        with enough_memory(lambda: f"writing epoch {epoch}"), self._trainer.averaged() as parts:
            if self._leads:
                config = self.folder_of_run.settings["preset"]
                self._log.epoch(epoch, self.step, self._epochs.write(parts, epoch, self.step, config))

    def _report(self, meter: Meter, state: str, message: str) -> None:
        step = self._trainer.step
        epoch = self._timeline.place(step)[0]
        progress = Progress(
            preset=self.plan.preset.name,
            state=state,
            epoch=min(self.config.epochs, epoch + 1),
            epochs=self.config.epochs,
            step=step,
            total_steps=self._timeline.steps,
            loss=meter.loss,
            raw_loss=meter.raw_loss,
            rate=meter.rate,
            data_wait=meter.data_wait,
            mfu=meter.mfu,
            images_per_s=meter.images_per_s,
            eta_s=meter.eta(self._timeline.steps - step),
            message=message,
        )
        if self._leads:
            self._display.step(progress)
        if self._feedback is not None:
            self._feedback.arena.progress(progress)

    def _last(self) -> str:
        done = self._timeline.place(self._trainer.step)[0]
        return str(self.folder(done)) if done else f"none of this run, but its base {self.plan.base}"
