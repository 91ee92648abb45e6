"""How long a training step waits for its batch: read ahead by two threads, against loading when it is asked for."""

import json
import shutil
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks.training.world import records
from training.buckets import STANDARD, BucketConfig
from training.config import load_captions
from training.loader import Loader
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig
from training.sources import read_posts

COUNT, BATCH, STEPS = 32, 4, 16


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """The step sleeps as long as a batch takes to load: an accelerator that leaves the processor alone."""
    source = folder / "waiting"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for record in records(COUNT):
        name = f"{record['id']}.jpg"
        picture = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).resize((1200, 1200))
        picture.save(source / name)
        lines.append(json.dumps(record | {"image_width": 1200, "image_height": 1200, "file_path": name}) + "\n")
    (source / "posts.jsonl").write_text("".join(lines))
    prepare(Preparation(source, folder / "waiting-out", source, PrepareConfig(write="shards")), command="")
    posts = read_posts(folder / "waiting-out")
    config = BucketConfig((STANDARD,))
    loader = Loader(folder / "waiting-out", posts, config, load_captions("v2.0"), batch=BATCH, seed=0)
    start = time.perf_counter()
    for step in range(loader.plan.steps):
        loader.load(0, step)
    pause = (time.perf_counter() - start) / loader.plan.steps

    def ours() -> float:
        batches = iter(loader.batches(workers=2))
        next(batches)
        waited = 0.0
        for _ in range(STEPS):
            time.sleep(pause)
            start = time.perf_counter()
            next(batches)
            waited += time.perf_counter() - start
        batches.close()
        return 1e3 * waited / STEPS

    def asked() -> float:
        waited = 0.0
        for epoch, step in islice(((0, n % loader.plan.steps) for n in range(STEPS)), STEPS):
            start = time.perf_counter()
            loader.load(epoch, step)
            waited += time.perf_counter() - start
        return 1e3 * waited / STEPS

    return ours, asked
