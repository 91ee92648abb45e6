"""Writes the two nets as ONNX files in deepghs' contract: one input, one output, any number of rows."""

import warnings
from pathlib import Path

import torch

from rating.ccip.folder import FEAT, METRIC
from training.ccip.net import FEATURE, INPUT_SIZE, DifferenceNet, FeatureNet

OPSET = 17
Axes = dict[str, dict[int, str]]


def export(net: FeatureNet, folder: Path) -> None:
    """Write ``model_feat.onnx`` and ``model_metrics.onnx`` into ``folder``; the same weights give the same bytes."""
    pictures, features = torch.zeros(2, 3, INPUT_SIZE, INPUT_SIZE), torch.eye(2, FEATURE)
    _write(net.eval(), pictures, folder / FEAT, {"input": {0: "batch"}, "output": {0: "batch"}})
    axes = {"input": {0: "batch"}, "output": {0: "batch", 1: "batch"}}
    _write(DifferenceNet(), features, folder / METRIC, axes)


def _write(net: torch.nn.Module, example: torch.Tensor, path: Path, axes: Axes) -> None:
    """By torch's tracing exporter: its successor needs another package, and more of it, for the same few operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net,
            (example,),
            str(path),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
