"""Runs that kill themselves and are resumed: ``python -m tests.training.killing DATA BASE CACHE OUT``.

One process loads the libraries, and every run is a fork of it, so that a kill at each step costs seconds in place of
minutes. The kill is SIGKILL: nothing of the process has a chance to tidy up.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from tests.training.conftest import SMALL_PRESET
from training.hooks import Progress
from training.run import Run, RunPlan
from training.train_config import DiffusionConfig, ScheduleConfig

# 44 posts: 6 steps of 8 in the first epoch, then 3 of 16 in each of two: 12 steps, saved after 4, 6, 8, 9 and 12.
PRESET = replace(
    SMALL_PRESET,
    posts="all",
    general_share=0.0,
    objective=replace(SMALL_PRESET.objective, input_perturbation=0.1, noise_offset=0.05),
    schedule=ScheduleConfig(kind="cosine", warmup=2, milestones=(1,)),
    diffusion=DiffusionConfig(epochs=3, batch=8, micro_batch=4, save_every=4),
)
STEPS = 12
SINGLE = (3, 7, 12)  # before the first save, between two, and after the last step


class Quiet:
    def say(self, text: str) -> None:
        """Nobody listens."""

    def step(self, progress: Progress) -> None:
        """Nobody looks."""


def train(data: Path, base: Path, cache: Path, out: Path, kill_after: int | None) -> None:
    torch.set_num_threads(1)
    run = Run(RunPlan(PRESET, data, base, out, cache), Quiet(), threading.Event())
    assert run._timeline.steps == STEPS
    log_step = run._log.step

    def killed(line: dict[str, object]) -> None:
        log_step(line)
        if line["step"] == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    run._log.step = killed  # type: ignore[method-assign, assignment]
    run.train()


def forked(work: Callable[[], None]) -> int:
    """How a child process ended that did ``work``: 0, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(data: Path, base: Path, cache: Path, out: Path) -> None:
    assert forked(lambda: train(data, base, cache, out / "whole", None)) == 0
    for step in SINGLE:
        assert forked(lambda at=step: train(data, base, cache, out / f"killed-{at}", at)) == -signal.SIGKILL
        assert forked(lambda at=step: train(data, base, cache, out / f"killed-{at}", None)) == 0
    for step in range(1, STEPS + 1):  # one run, killed after every single step
        assert forked(lambda at=step: train(data, base, cache, out / "every", at)) == -signal.SIGKILL
    assert forked(lambda: train(data, base, cache, out / "every", None)) == 0


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
