"""Entrants as processes that run in turn, and what comes of it: medians, spreads, ratios."""

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.rating.environment import ROOT

ROUNDS = 5


@dataclass(frozen=True)
class Entrant:
    """A function of a module below this package; `size` is how many units (votes, resamples) one run of it does."""

    name: str
    module: str
    function: str
    size: int


@dataclass(frozen=True)
class Rival:
    """A peer, and how many times slower than ours it must be: than pure Python with numpy, than with numba."""

    entrant: Entrant
    pure: float | None = None
    fast: float | None = None


@dataclass(frozen=True)
class Race:
    """One task: ours in pure Python with numpy, ours with numba where there is such a kernel, and the peers."""

    name: str
    workload: str
    unit: str
    pure: Entrant
    rivals: Sequence[Rival]
    fast: Entrant | None = None


@dataclass(frozen=True)
class Limit:
    """One task of ours that must not take more than `limit` of the unit; the entrant returns that figure."""

    name: str
    workload: str
    unit: str
    ours: Entrant
    limit: float


@dataclass
class Runs:
    """The figures of one entrant, a unit of work each; `failure` says why there are none."""

    figures: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.figures)


class Worker:
    """An entrant's process: started once, told when to run, otherwise idle."""

    def __init__(self, python: Path, entrant: Entrant, workload: Path) -> None:
        module = [str(python), "-m", "tests.benchmarks.rating.worker", entrant.module, entrant.function]
        self.size = entrant.size
        self.runs = Runs()
        self.process = subprocess.Popen(
            [*module, str(workload), str(entrant.size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        if ready := self._read():
            self.runs.versions = json.loads(ready)

    def run(self, keep: bool) -> None:
        """Run once; with `keep`, note the figure."""
        if self.runs.failure:
            return
        print(file=self.process.stdin, flush=True)
        figure = self._read()
        if figure and keep:
            self.runs.figures.append(float(figure) / self.size)

    def stop(self) -> None:
        self.process.communicate()

    def _read(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            errors = self.process.stderr.read().strip().splitlines()
            self.runs.failure = errors[-1] if errors else "stopped"
        return line


def run(
    entrants: Sequence[Entrant], workload: Path, python: Callable[[Entrant], Path], rounds: int, warm_ups: int = 1
) -> dict[Entrant, Runs]:
    """All entrants in turn, `rounds` times, after the first rounds that warm up and are thrown away."""
    workers = {entrant: Worker(python(entrant), entrant, workload) for entrant in entrants}
    for turn in range(warm_ups + rounds):
        for worker in workers.values():
            worker.run(keep=turn >= warm_ups)
    for worker in workers.values():
        worker.stop()
    return {entrant: worker.runs for entrant, worker in workers.items()}
