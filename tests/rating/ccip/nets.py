"""Tiny encoders in the CCIP contract, built node by node: what they compute can be said in a line of numpy."""

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE, CELLS = 384, 8
DIM = 3 * CELLS * CELLS
OPSET = 17


def write_encoder(
    folder: Path, *, seed: int = 0, dim: int = 64, threshold: float = 0.1, **nets: onnx.ModelProto
) -> Path:
    """A whole folder; `nets` may put others in place of `feat` and `metric`."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(nets.get("feat") or feat_net(seed=seed, dim=dim), folder / "model_feat.onnx")
    onnx.save(nets.get("metric") or metric_net(dim), folder / "model_metrics.onnx")
    (folder / "metrics.json").write_text(json.dumps({"threshold": threshold, "f1_score": 0.9}))
    clusters = {name: {"eps": threshold, "min_samples": 2} for name in ("dbscan_2", "dbscan_free", "optics")}
    (folder / "cluster.json").write_text(json.dumps(clusters))
    return folder


def weights(seed: int, dim: int) -> NDArray[np.float32]:
    """(DIM, dim) of the feature net."""
    return np.random.default_rng(seed).standard_normal((DIM, dim)).astype(np.float32) / np.float32(DIM**0.5)


def feat_net(
    *, seed: int = 0, dim: int = 64, size: int = SIZE, batch: int | str = "batch", names: str = ""
) -> onnx.ModelProto:
    """Means of 8 x 8 cells, times a random matrix."""
    entry, exit_ = f"{names}input", f"{names}output"
    cell = size // CELLS
    nodes = [
        helper.make_node("AveragePool", [entry], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [exit_]),
    ]
    return _saved(nodes, (entry, [batch, 3, size, size]), (exit_, [batch, dim]), {"weights": weights(seed, dim)})


def features_by_hand(pixels: NDArray[np.float32], seed: int = 0, dim: int = 64) -> NDArray[np.float64]:
    """What the feature net makes of (n, 3, 384, 384)."""
    cell = SIZE // CELLS
    cells = pixels.astype(np.float64).reshape(len(pixels), 3, CELLS, cell, CELLS, cell).mean(axis=(3, 5))
    return cells.reshape(len(pixels), DIM) @ weights(seed, dim)


def metric_net(dim: int = 64, *, bend: float = 1.0, names: str = "") -> onnx.ModelProto:
    """((1 - cos) / 2) ** bend, clipped to [0, 1], as deepghs export it."""
    entry, exit_ = f"{names}input", f"{names}output"
    nodes = [
        helper.make_node("ReduceL2", [entry], ["length"], axes=[1], keepdims=1),
        helper.make_node("Div", [entry, "length"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["unit", "turned"], ["cos"]),
        helper.make_node("Mul", ["cos", "minus_half"], ["lowered"]),
        helper.make_node("Add", ["lowered", "half"], ["raised"]),
        helper.make_node("Clip", ["raised", "zero", "one"], ["clipped"]),
        helper.make_node("Pow", ["clipped", "bend"], [exit_]),
    ]
    constants = {"minus_half": -0.5, "half": 0.5, "zero": 0.0, "one": 1.0, "bend": bend}
    arrays = {name: np.array(value, np.float32) for name, value in constants.items()}
    return _saved(nodes, (entry, ["batch", dim]), (exit_, ["batch", "batch"]), arrays)


def _saved(
    nodes: list[onnx.NodeProto],
    entry: tuple[str, list[int | str]],
    exit_: tuple[str, list[int | str]],
    arrays: dict[str, NDArray[np.float32]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(entry[0], TensorProto.FLOAT, entry[1])],
        [helper.make_tensor_value_info(exit_[0], TensorProto.FLOAT, exit_[1])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    net.ir_version = 9
    return net
