"""`make bench`: each figure is a ratio against a named peer or limit, both run in turn; medians with their spread.

`--only WORD …` measures what has such a word in its name (`--only rating` the whole rating engine), `--quick` does a
tenth of the rating work, `--json FILE` also writes down what was measured of it.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.benchmarks.boards import million
from tests.benchmarks.rating import report
from tests.benchmarks.rating.race import ROUNDS
from tests.benchmarks.votes import roundtrip


@dataclass(frozen=True)
class Contest:
    """Ours against a peer. The function of the module (`workers`, or what stands behind a colon) takes a folder and
    makes the two callables.
    """

    name: str
    peer: str
    unit: str
    module: str
    rounds: int = 5


CONTESTS = (
    Contest("images: 8 in 12 steps", "diffusers' SDXL pipeline", "s", "render", rounds=7),
    Contest("images: 8 in 12 steps, our UNet compiled", "diffusers' SDXL pipeline", "s", "render_compiled", rounds=7),
    Contest("change of checkpoint", "diffusers' from_pretrained", "s", "swap"),
    Contest("manifest and PNG, share of rendering", "the limit of 3 %", "%", "provenance"),
    Contest("training: a caption with every stage", "the limit of 20 us (50,000/s)", "us", "training.captions"),
    Contest("training: quality tags of 1 M posts", "the limit of 10 s", "s", "training.quality"),
    Contest("training: memory of quality tags", "the limit of 500 MB", "MB", "training.quality_memory", rounds=1),
    Contest("training: 1 M pictures into three bucket sets", "the limit of 5 s", "s", "training.buckets"),
    Contest("training: records of 1 M posts", "decoding their JSON", "s", "training.metadata", rounds=3),
    Contest("training: a 5 MP picture into a shard", "a plain Pillow loop", "ms", "training.images", rounds=3),
    Contest("training: a 5 MP picture checked", "decoding alone", "ms", "training.decoding", rounds=3),
    Contest("training: a step's wait for data", "loading when asked", "ms", "training.waiting"),
    Contest("training: a step of 16 images, tiny base", "a plain loop of diffusers' parts", "CPU ms", "training.step"),
    Contest("training: memory of that", "a plain loop of diffusers' parts", "MB", "training.step:memory", rounds=2),
    Contest("training: that step with captions and data", "batches made before", "CPU ms", "training.step:overhead"),
    Contest(
        "training: states of SDXL's U-Net a billion weights, bf16", "float32", "GiB", "training.step:states", rounds=1
    ),
    Contest("memory of the web process", "the limit of 150 MB", "MB", "web_memory", rounds=2),
    Contest("memory of exporting 200,000 votes", "20,000 votes", "MB", "votes.export", rounds=1),
    Contest("ccip: embedding 24 images of 1024 x 1024", "dghs-imgutils 0.19", "s", "ccip.contests:embedding"),
    Contest(
        "ccip: 6 images by a net of 16 GFLOP, processor", "dghs-imgutils 0.19", "s", "ccip.contests:large", rounds=3
    ),
    Contest("ccip: 1000 x 1000 differences, processor", "dghs-imgutils 0.19", "s", "ccip.contests:differences"),
    Contest("ccip: 1000 x 1000 differences, limit", "the limit of 0.1 s", "s", "ccip.contests:limit"),
    Contest("ccip: peak memory for 500 images", "dghs-imgutils 0.19", "MB", "ccip.contests:memory", rounds=1),
)

if "PEER" in os.environ:
    CONTESTS += (
        Contest("training: a step, diffusers' script", "train_text_to_image_sdxl.py", "ms", "training.script", 2),
    )


def figure(work: Callable[[], object]) -> float:
    """The number that the work returns, or the seconds that it takes."""
    start = time.perf_counter()
    result = work()
    return result if isinstance(result, float) else time.perf_counter() - start


def measure(contest: Contest, folder: Path) -> tuple[list[float], list[float]]:
    """Run both in turn; the first round warms up and is thrown away."""
    module, _, function = contest.module.partition(":")
    ours, theirs = getattr(importlib.import_module(f"tests.benchmarks.{module}"), function or "workers")(folder)
    pairs = [(figure(ours), figure(theirs)) for _ in range(contest.rounds + 1)][1:]
    return [own for own, _ in pairs], [other for _, other in pairs]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"


def contests(console: Console, only: list[str]) -> None:
    chosen = [contest for contest in CONTESTS if any(word in contest.name for word in only)]
    if not chosen:
        return
    table = Table("what", "unit", "ours: median [min, max]", "peer", "peer: median [min, max]", "peer / ours")
    with TemporaryDirectory() as folder:
        for contest in chosen:
            console.print(f"measuring: {contest.name}…")
            ours, theirs = measure(contest, Path(folder))
            console.print(f"{spread(ours)} {contest.unit}, {contest.peer} {spread(theirs)} {contest.unit}")
            ratio = statistics.median(theirs) / statistics.median(ours)
            table.add_row(contest.name, contest.unit, spread(ours), contest.peer, spread(theirs), f"{ratio:.2f}")
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="what has one of them in its name, or: rating"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the rating work, two rounds")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each race of the rating engine ({ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured of the rating engine there")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 200)
    contests(console, options.only)
    trips = roundtrip.measured(console.print, options.only)
    if trips:
        console.print(roundtrip.table(trips))
    boards = million.measured(console.print, options.only, options.quick)
    if boards:
        console.print(million.table(boards))
    lines = report.measured(console.print, options.only, options.quick, options.rounds)
    if lines:
        console.print(report.table(lines))
        console.print(", ".join(f"{name} {value}" for name, value in report.machine().items()))
    if options.json:
        written = {"machine": report.machine(), "lines": report.as_json(lines)}
        options.json.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
