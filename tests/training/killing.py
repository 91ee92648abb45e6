"""Runs that kill themselves and are resumed: ``python -m tests.training.killing DATA BASE CACHE OUT``.

One process loads the libraries, and every run is a fork of it, so that a kill at each step costs seconds in place of
minutes. The kill is SIGKILL: nothing of the process has a chance to tidy up.
"""

import os
import resource
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from tests.training.conftest import SMALL_PRESET
from training.errors import UserError
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


def train(data: Path, base: Path, cache: Path, out: Path, at: int | None, strike: Callable[[], None]) -> None:
    """Train; once the line of step ``at`` is in the log, ``strike``."""
    torch.set_num_threads(1)
    run = Run(RunPlan(PRESET, data, base, out, cache), Quiet(), threading.Event())
    assert run._timeline.steps == STEPS
    log_step = run._log.step

    def struck(line: dict[str, object]) -> None:
        log_step(line)
        if line["step"] == at:
            strike()

    run._log.step = struck  # type: ignore[method-assign, assignment]
    run.train()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_the_disk(most: int = 2**14) -> None:
    """From now on no file of this process may be larger: 16 KiB is less than any weights, more than its logs."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def fill_at_once() -> None:
    """Not even a line more of the log."""
    fill_the_disk(2**10)


def kill_when_writing() -> None:
    """From now on the kernel ends this process in the middle of the first file larger than 16 KiB."""
    fill_the_disk()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def forked(work: Callable[[], None]) -> int:
    """How a child process ended that did ``work``: 0, 1 with what a user can put right, or minus a signal's number."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except UserError as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(data: Path, base: Path, cache: Path, out: Path) -> None:
    def run(name: str, at: int | None = None, strike: Callable[[], None] = kill) -> int:
        return forked(lambda: train(data, base, cache, out / name, at, strike))

    assert run("whole") == 0
    for step in SINGLE:
        assert run(f"killed-{step}", step) == -signal.SIGKILL
        assert run(f"killed-{step}") == 0
    for step in range(1, STEPS + 1):  # one run, killed after every single step
        assert run("every", step) == -signal.SIGKILL
    assert run("every") == 0
    assert run("full", 9, fill_the_disk) == 1
    shutil.copytree(out / "full", out / "full-before")
    assert run("full") == 0
    assert run("full-log", 10, fill_at_once) == 1
    assert run("full-log") == 0
    assert run("half-checkpoint", 9, kill_when_writing) == -signal.SIGXFSZ
    assert run("half-checkpoint") == 0


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
