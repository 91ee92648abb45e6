"""What embedding and comparing take in memory: bounded, and given back."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import CCIPEncoder, Features
from tests.rating.ccip.nets import write_encoder

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 2**20


def peak(work: Callable[[], object]) -> float:
    """Megabytes that numpy and Python held at most beyond what they held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return (tracemalloc.get_traced_memory()[1] - before) / MEGABYTE
    finally:
        tracemalloc.stop()


def features(encoder: CCIPEncoder, count: int) -> Features:
    vectors = np.random.default_rng(0).standard_normal((count, 768)).astype(np.float32)
    return Features(vectors, encoder.identity)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> CCIPEncoder:
    """Of 768 dimensions, as CCIP is."""
    encoder = CCIPEncoder.from_dir(write_encoder(tmp_path_factory.mktemp("encoder") / "wide", dim=768))
    encoder.check()
    return encoder


def test_five_thousand_images_against_each_other_take_less_than_300_megabytes(wide: CCIPEncoder) -> None:
    many = features(wide, 5000)
    assert peak(lambda: wide.differences(many)) < 300


def test_many_against_few_never_make_a_square(wide: CCIPEncoder) -> None:
    # A square of 20,020 would be 1,600 MB; the vectors of length 1 are 62.
    many, few = features(wide, 20_000), features(wide, 20)
    assert peak(lambda: wide.differences(many, few)) < 150


MEASURE = """
import json, sys, psutil
from pathlib import Path
from rating.ccip import CCIPEncoder
from tests.rating.ccip.test_memory import highest
process, (folder, images) = psutil.Process(), sys.argv[1:]
encoder = CCIPEncoder.from_dir(folder, threads=2)
encoder.check()
before = process.memory_info().rss
encoder.embed(sorted(Path(images).iterdir()))
print(json.dumps({"grown": (highest() - before) / 2**20}))
"""

OPEN_AND_CLOSE = """
import json, sys, psutil
from rating.ccip import CCIPEncoder
process = psutil.Process()
for turn in range(11):
    for folder in sys.argv[1:]:
        with CCIPEncoder.from_dir(folder) as encoder:
            encoder.check()
    if not turn:
        first = process.memory_info().rss
print(json.dumps({"grown": (process.memory_info().rss - first) / 2**20}))
"""


def highest() -> int:
    """The most bytes of memory that this process ever held (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def grown(code: str, *arguments: Path) -> float:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["grown"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the highest memory of a process is Linux's to tell")
def test_five_hundred_images_take_no_more_than_a_few(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for at in range(500):
        image = Image.fromarray(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
        image.save(tmp_path / f"{at:03}.png", compress_level=0)
    assert grown(MEASURE, folder, tmp_path) < 150


def test_encoders_that_are_closed_give_their_memory_back(tmp_path: Path) -> None:
    # 6 MB of weights each: kept ten times they would be 120 MB.
    folders = [write_encoder(tmp_path / f"e{seed}", seed=seed, dim=8000) for seed in range(2)]
    assert grown(OPEN_AND_CLOSE, *folders) < 50
