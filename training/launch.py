"""How a run was started: all that `resume` needs besides the settings in ``run.json``, kept in the run folder."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from generation.files import write_json
from training.config import Preset, from_mapping, to_mapping
from training.errors import UserError, writing
from training.flops import peak_of
from training.hooks import ArenaClient, ArenaHook
from training.preference import Preference, level_of
from training.processes import join
from training.run import Run, RunPlan
from training.run_files import LAUNCH, RUN
from training.tensorboard import check_installed, open_events
from training.watch import Display


@dataclass(frozen=True)
class Launch:
    """Where things are and what to do beside training; paths are absolute.

    ``shard`` cuts weights and optimiser over several processes.
    ``stop_when_worse`` is the confidence of `Preference`, None for never; ``population`` whose votes count.
    """

    data: str
    base: str
    cache: str
    device: str = "cpu"
    shard: bool = False
    threads: int = 1
    arena: str | None = None
    stop_when_worse: float | None = None
    population: str = "people"
    peak_tflops: float | None = None
    tensorboard: bool = False

    def check(self, preset: Preset) -> None:
        """Raises UserError for what cannot be, before anything long begins."""
        if self.tensorboard:
            check_installed()
        if self.arena is not None:
            ArenaClient(self.arena)
        if self.stop_when_worse is not None:
            if self.arena is None:
                raise UserError("--stop-when-worse asks the arena: give --arena URL as well")
            level_of(self.stop_when_worse, preset.diffusion.epochs)
            if preset.lora:
                raise UserError("--stop-when-worse compares the epochs of checkpoints; leave it out for a LoRA")

    def open(self, preset: Preset, out: Path, token: str, display: Display, stop: threading.Event) -> Run:
        """The run, at the step where it stands, connected to what it tells and asks."""
        self.check(preset)
        torch.set_num_threads(self.threads)
        name = torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else "this processor"
        peak = self.peak_tflops or peak_of(name)
        plan = RunPlan(preset, Path(self.data), Path(self.base), out, Path(self.cache), peak)
        processes = join(self.device, shard=self.shard)
        run = Run(plan, display, stop, processes)
        if processes.rank:  # the leading process alone writes, and speaks with people and arena
            return run
        with writing(out / LAUNCH):
            write_json(out / LAUNCH, to_mapping(self))
        if self.tensorboard:
            run.mirror(open_events(out, run.step))
        if peak is None:
            display.say(f"MFU is not known: no peak is known for {name}; give --peak-tflops")
        if self.arena is not None:
            client = ArenaClient(self.arena, token)
            base = Path(self.base) if preset.lora else None
            hook = ArenaHook(client, run.name, out, display.say, self.population, base)
            run.connect(hook, self._preference(client, preset, out, display))
        return run

    def _preference(self, client: ArenaClient, preset: Preset, out: Path, display: Display) -> Preference | None:
        if self.stop_when_worse is None:
            return None
        level = level_of(self.stop_when_worse, preset.diffusion.epochs)
        return Preference(client, out, level, self.population, display.say)


def read_launch(run: Path) -> tuple[Launch, Preset]:
    """How the run in this folder was started, and its settings.

    Raises:
        UserError: it is no run folder, or one of its files is damaged.
    """
    launch, preset = _read(run / LAUNCH), _read(run / RUN)["preset"]
    return from_mapping(Launch, launch, str(run / LAUNCH)), from_mapping(Preset, preset, str(run / RUN))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path} is missing: name the folder of a run that `python -m training train` has begun")
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): run the command that began the run again") from error
    return values
