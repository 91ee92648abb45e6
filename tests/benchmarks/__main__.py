"""`make bench`: each figure is a ratio against a named peer or limit, both run in turn; medians with their spread."""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.benchmarks import fold, render, web_memory


@dataclass(frozen=True)
class Contest:
    """Ours against a peer: two callables that do the same work, or two numbers already measured."""

    name: str
    peer: str
    unit: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    rounds: int = 5


def seconds(work: Callable[[], object]) -> Callable[[], float]:
    """Turn work into its wall time."""

    def timed() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return timed


def measure(contest: Contest) -> tuple[list[float], list[float]]:
    """Run both in turn; the first round warms up and is thrown away."""
    pairs = [(contest.ours(), contest.theirs()) for _ in range(contest.rounds + 1)][1:]
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"


def contests(folder: Path) -> list[Contest]:
    ours, theirs = render.workers(folder)
    fold_ours, fold_theirs = fold.workers()
    return [
        Contest("8 images, 12 steps", "diffusers' SDXL pipeline", "s", seconds(ours), seconds(theirs)),
        Contest("fold of 500 votes", "the bare trueskill package", "s", seconds(fold_ours), seconds(fold_theirs)),
        Contest("memory of the web process", "the limit of 150 MB", "MB", web_memory.measured, lambda: 150.0, rounds=2),
    ]


def main() -> int:
    console = Console()
    table = Table("what", "unit", "ours: median [min, max]", "peer", "peer: median [min, max]", "peer / ours")
    with TemporaryDirectory() as folder:
        for contest in contests(Path(folder)):
            console.print(f"measuring: {contest.name}…")
            ours, theirs = measure(contest)
            ratio = statistics.median(theirs) / statistics.median(ours)
            table.add_row(contest.name, contest.unit, spread(ours), contest.peer, spread(theirs), f"{ratio:.2f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
