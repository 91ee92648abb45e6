"""One entrant in a process of its own: `python -m tests.benchmarks.rating.worker MODULE FUNCTION WORKLOAD SIZE`.

The function takes the arrays of the workload and the size and returns the work to be repeated. The worker answers with
one line of JSON when it is ready, then with one figure for each line it reads: the seconds that the work took, or the
number that the work returned if it measures something itself.
"""

import importlib
import json
import os
import sys
import time
from importlib.metadata import version

import numpy as np


def main(module: str, function: str, workload: str, size: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a peer prints is no answer
    entrant = importlib.import_module(f"tests.benchmarks.rating.{module}")
    with np.load(workload) as arrays:
        work = getattr(entrant, function)(dict(arrays), int(size))
    print(json.dumps({name: version(name) for name in entrant.PACKAGES}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = work()
        elapsed = time.perf_counter() - start
        print(result if isinstance(result, float) else elapsed, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
