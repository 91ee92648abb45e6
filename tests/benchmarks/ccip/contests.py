"""Character similarity against dghs-imgutils on the same ONNX files, each measurement in a fresh process."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rating.ccip.encoder import DEFAULT
from tests.rating.ccip.conftest import portrait
from tests.rating.ccip.nets import write_encoder

ROOT = Path(__file__).resolve().parents[3]
PEER = ROOT / ".venv-parity" / "bin" / "python"
WIDTH, INNER, LAYERS, PATCH, DIMENSIONS = 384, 1536, 12, 16, 768

Workers = tuple[Callable[[], float], Callable[[], float]]


def embedding(folder: Path) -> Workers:
    """24 images of 1024 x 1024 by the encoder that comes with the project: decoding is most of it."""
    return _both("embedding", DEFAULT, _images(folder, 24, 1024))


def large(folder: Path) -> Workers:
    """6 images by a net that works as much as a ViT-S/16 at 384 x 384 does: 576 patches x 12 layers x 2 x 2 x 384 x
    1536 operations, 16 GFLOP an image.
    """
    return _both("embedding on the processor", _large_encoder(folder), _images(folder, 6, 1024))


def differences(folder: Path) -> Workers:
    """1000 x 1000 features of 768 dimensions, in processor time."""
    return _both("differences", write_encoder(folder / "wide", dim=DIMENSIONS), None)


def limit(folder: Path) -> Workers:
    """The same, and the limit in seconds."""
    encoder = write_encoder(folder / "wide", dim=DIMENSIONS)
    return _run(Path(sys.executable), "ours", "differences", encoder, None), lambda: 0.1


def memory(folder: Path) -> Workers:
    """500 images of 512 x 512 in one call."""
    return _both("memory", DEFAULT, _images(folder, 500, 512))


def _both(task: str, encoder: Path, images: Path | None) -> Workers:
    subprocess.run(["make", "--silent", ".venv-parity/.installed"], cwd=ROOT, check=True)
    ours = _run(Path(sys.executable), "ours", task, encoder, images)
    return ours, _run(PEER, "theirs", task, encoder, images)


def _run(python: Path, who: str, task: str, encoder: Path, images: Path | None) -> Callable[[], float]:
    command = [str(python), "-m", "tests.benchmarks.ccip.worker", who, task, str(encoder), str(images or "")]

    def figure() -> float:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{who} failed at {task}: {done.stderr.strip().splitlines()[-1]}")
        return float(done.stdout.split()[-1])

    return figure


def _images(folder: Path, count: int, side: int) -> Path:
    made = folder / f"{count}x{side}"
    if not made.exists():
        made.mkdir()
        for at in range(count):
            image = portrait(at % 7, at).resize((side, side), Image.Resampling.BICUBIC)
            image.save(made / f"{at:03}.png", compress_level=1)
    return made


def _large_encoder(folder: Path) -> Path:
    """Patches, then layers of two 1 x 1 convolutions, as wide and deep as a ViT-S; random weights."""
    rng = np.random.default_rng(0)

    def kernel(out: int, into: int, side: int = 1) -> np.ndarray:
        values = rng.standard_normal((out, into, side, side), dtype=np.float32)
        return values / np.float32((into * side * side) ** 0.5)

    weights = {"patch": kernel(WIDTH, 3, PATCH), "head": rng.standard_normal((WIDTH, DIMENSIONS), dtype=np.float32)}
    nodes = [helper.make_node("Conv", ["input", "patch"], ["x0"], strides=[PATCH, PATCH])]
    for at in range(LAYERS):
        weights |= {f"up{at}": kernel(INNER, WIDTH), f"down{at}": kernel(WIDTH, INNER)}
        nodes += [
            helper.make_node("Conv", [f"x{at}", f"up{at}"], [f"h{at}"]),
            helper.make_node("Relu", [f"h{at}"], [f"r{at}"]),
            helper.make_node("Conv", [f"r{at}", f"down{at}"], [f"d{at}"]),
            helper.make_node("Add", [f"x{at}", f"d{at}"], [f"x{at + 1}"]),
        ]
    nodes += [
        helper.make_node("GlobalAveragePool", [f"x{LAYERS}"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 384, 384])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", DIMENSIONS])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    net: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return write_encoder(folder / "large", dim=DIMENSIONS, feat=net)
