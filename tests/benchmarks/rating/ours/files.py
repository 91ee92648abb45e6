"""A workload as a vote file."""

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from rating.simulation import named
from tests.benchmarks.rating.workloads import CONTESTANTS, Arrays

BLOCK = 100_000


def write(path: Path, arrays: Arrays, count: int) -> None:
    """`count` duels of 500 voters on 200 prompts; the duels of the workload come again where it has fewer."""
    names = named(CONTESTANTS)
    columns = (arrays[name].tolist() for name in ("left", "right", "outcome"))
    tails = [
        f"fixed,prompt-{at * 7 % 200},voter-{at * at % 500},{names[left]}|{names[right]},{('1', '2', '1=2')[outcome]}\n"
        for at, (left, right, outcome) in enumerate(islice(zip(*columns, strict=True), count))
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("vote,created_at,poll,prompt,voter,seats,outcome\n")
        for start in range(0, count, BLOCK):
            moment = datetime.fromtimestamp(1.75e9 + start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            block = range(start, min(start + BLOCK, count))
            file.writelines(f"{at},{moment},{tails[at % len(tails)]}" for at in block)
