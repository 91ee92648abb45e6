"""One measurement in a process of its own: `python -m tests.benchmarks.ccip.worker WHO TASK ENCODER IMAGES`.

WHO is `ours` or `theirs` (a module beside this one, run by its own interpreter). Prints one number: the seconds of the
second of two runs, or of the processor, or the most megabytes that the process ever held.
"""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COUNT, DIMENSIONS = 1000, 768


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Of the second run: the first opens nets and fills pools."""
    work()
    start = clock()
    work()
    return clock() - start


def highest() -> float:
    """Megabytes of memory that this process held at most (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(entrant: Any, task: str, images: list[str]) -> float:
    if task in ("embedding", "embedding on the processor"):
        return seconds(lambda: entrant.embed(images), time.perf_counter if task == "embedding" else time.process_time)
    if task == "memory":
        entrant.embed(images)
        return highest()
    vectors = np.random.default_rng(0).standard_normal((COUNT, DIMENSIONS)).astype(np.float32)
    return seconds(lambda: entrant.differences(vectors), time.process_time)


if __name__ == "__main__":
    who, task, encoder, folder = sys.argv[1:]
    shown = sorted(map(str, Path(folder).iterdir())) if folder else []
    print(measured(importlib.import_module(f"tests.benchmarks.ccip.{who}").Entrant(Path(encoder)), task, shown))
