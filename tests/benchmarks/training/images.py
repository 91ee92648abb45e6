"""Pictures prepared into shards by one process, against a plain Pillow loop of the same work: processor ms each."""

import json
import shutil
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks.training.world import records
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig
from training.resize import target_size

COUNT, SIZE = 24, (2600, 1900)  # above 4 MP: each is made smaller


def pictures(folder: Path) -> list[Path]:
    """JPEG files with detail at every scale, and their posts beside them."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    lines = []
    for record in records(COUNT):
        number = record["id"]
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8))
        coarse.resize(SIZE, Image.Resampling.BICUBIC).save(source / f"{number}.jpg", quality=92)
        size = {"image_width": SIZE[0], "image_height": SIZE[1], "file_path": f"{number}.jpg"}
        lines.append(json.dumps(record | size) + "\n")
    (source / "posts.jsonl").write_text("".join(lines))
    return sorted(source.glob("*.jpg"))


def each(work: Callable[[], object]) -> Callable[[], float]:
    """Processor milliseconds that the work on all pictures takes for one."""

    def measured() -> float:
        start = time.process_time()
        work()
        return 1e3 * (time.process_time() - start) / COUNT

    return measured


def ours_of(folder: Path) -> Callable[[], object]:
    """The whole command without its start."""

    def ours() -> object:
        shutil.rmtree(folder / "out", ignore_errors=True)
        plan = Preparation(folder / "source", folder / "out", folder / "source", PrepareConfig(write="shards"))
        return prepare(plan, command="")

    return ours


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Open, convert, LANCZOS, save: what everybody writes."""
    files = pictures(folder)
    target = target_size(*SIZE, PrepareConfig().resize.max_pixels)

    def plain() -> object:
        sizes = 0
        for file in files:
            with Image.open(file) as image:
                small = image.convert("RGB").resize(target, Image.Resampling.LANCZOS)
            stream = BytesIO()
            small.save(stream, "JPEG", quality=95, subsampling=0)
            (folder / "plain.jpg").write_bytes(stream.getvalue())
            sizes += len(stream.getvalue())
        return sizes

    return each(ours_of(folder)), each(plain)
