"""A million posts' records prepared, from 50,000 of them, against decoding their JSON and nothing else."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.training.world import write_lines
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig

POSTS = 50_000


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Processor seconds of one process for a million posts."""
    path = folder / "million.jsonl"
    write_lines(path, POSTS)

    def per_million(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return (time.process_time() - start) * 1e6 / POSTS

    def prepared() -> object:
        shutil.rmtree(folder / "million", ignore_errors=True)
        return prepare(Preparation(path, folder / "million", folder, PrepareConfig()), command="")

    def decoded() -> object:
        with path.open("rb") as file:
            return sum(1 for line in file if json.loads(line))

    return lambda: per_million(prepared), lambda: per_million(decoded)
