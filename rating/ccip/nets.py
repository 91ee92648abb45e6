"""The two nets of an encoder folder in onnxruntime: opened when first needed, once per process, checked when opened."""

import importlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.ccip.errors import CCIPError, ContractError
from rating.ccip.features import Vectors, cosine_differences
from rating.ccip.folder import FEAT, METRIC, EncoderFolder

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# Images a run: on a CPU more than one costs 20-40 % (docs/ccip.md), a GPU wants to be filled.
CHUNKS = {CPU: 1, CUDA: 16}
OPTIONS: dict[str, dict[str, str]] = {
    # TF32 would make features depend on the card and on the size of a chunk.
    CUDA: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
}
AGREE = 1e-5  # up to which numpy may stand in for the metric net
SANE = 1e-3  # beyond which it makes no differences at all
REMEDY = "onnxruntime is missing: pip install 'illustration-arena[ccip]' (on a GPU also onnxruntime-gpu)"
PROBES = 16
BLOCK = 512


@dataclass(frozen=True)
class Contract:
    """What was found when the nets were opened: `dim` of a feature, whether the metric net is (1 - cos) / 2.

    `deviation` is the largest difference of the metric net from numpy on random, scaled and opposite features.
    """

    dim: int
    cosine: bool
    deviation: float


@dataclass(frozen=True)
class _Net:
    path: object
    session: Any
    entry: str
    exit: str

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return np.asarray(self.session.run([self.exit], {self.entry: values})[0])
        except Exception as error:
            # onnxruntime has a class for each kind of failure and no common one.
            raise ContractError(f"{self.path} does not run on {values.shape}: {error}") from error


class Nets:
    """Opens the nets of a folder lazily; after a fork they are opened anew. May be used by several threads."""

    def __init__(self, folder: EncoderFolder, providers: Sequence[str] | None = None) -> None:
        self.folder = folder
        self._wanted = tuple(providers) if providers is not None else None
        self._open: dict[str, _Net] = {}
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._left_behind: list[object] = []

    @property
    def opened(self) -> bool:
        """Whether this process holds a session."""
        return bool(self._open) and self._pid == os.getpid()

    @property
    def provider(self) -> str:
        """The execution provider that the feature net runs on, which is opened for it."""
        return str(self._net(FEAT).session.get_providers()[0])

    def features(self, pixels: NDArray[np.float32]) -> Vectors:
        """(n, dim) of (n, 3, size, size)."""
        return self._net(FEAT)(pixels)

    def metric(self, vectors: Vectors) -> NDArray[np.float32]:
        """(n, n) of (n, dim)."""
        return self._net(METRIC)(vectors)

    def check(self) -> Contract:
        """Open both nets and hold them against the contract. Raises ContractError naming the difference."""
        dim = self._dim()
        probes = _probes(dim)
        found = self.metric(probes)
        if found.shape != (len(probes), len(probes)):
            raise ContractError(
                f"{self.folder.path / METRIC} makes {found.shape} of {len(probes)} features; "
                f"the contract is a square ({len(probes)}, {len(probes)})"
            )
        _check_differences(found, self.folder.path / METRIC)
        deviation = float(np.abs(found - cosine_differences(probes)).max())
        return Contract(dim, deviation <= AGREE, deviation)

    def close(self) -> None:
        """Let go of the sessions and their memory; they are opened again when needed."""
        self._open.clear()

    def _dim(self) -> int:
        size = self.folder.preprocess.size
        path = self.folder.path / FEAT
        found = self.features(np.zeros((2, 3, size, size), np.float32))
        if found.ndim != 2 or len(found) != 2:
            raise ContractError(f"{path} makes {found.shape} of 2 images; the contract is one row for each image")
        return int(found.shape[1])

    def _net(self, name: str) -> _Net:
        with self._lock:
            if self._pid != os.getpid():
                # A session's threads do not survive a fork; to end it here would wait for them.
                self._left_behind.append(self._open)
                self._open, self._pid = {}, os.getpid()
            if name not in self._open:
                self._open[name] = self._opened(name)
            return self._open[name]

    def _opened(self, name: str) -> _Net:
        path = self.folder.path / name
        runtime = _runtime()
        providers = chosen_providers(runtime.get_available_providers(), self._wanted)
        if CUDA in providers and hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # those that came as packages, with torch or by themselves
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session = runtime.InferenceSession(
                str(path), options, providers=[(one, OPTIONS.get(one, {})) for one in providers]
            )
        except Exception as error:
            raise ContractError(f"{path} cannot be opened as an ONNX net: {error}") from error
        # Where a provider's libraries are missing, onnxruntime goes on with the next one.
        if self._wanted and session.get_providers()[0] != self._wanted[0]:
            raise CCIPError(f"{self._wanted[0]} cannot be loaded here; install its libraries, or leave it out")
        size = self.folder.preprocess.size
        shape = ("batch", 3, size, size) if name == FEAT else ("n", "dim")
        return _checked(session, path, shape)


def chosen_providers(available: Sequence[str], wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """CUDA where onnxruntime offers it, else the CPU, or those asked for; the CPU stands behind each.

    Raises CCIPError for a provider that this onnxruntime does not have. Others than these two are never chosen by
    themselves: the CCIP nets are known to fail under CoreML.
    """
    for one in wanted or ():
        if one not in available:
            raise CCIPError(
                f"this onnxruntime has no {one}; it has {', '.join(available)}. Leave it out, or install "
                "onnxruntime-gpu in place of onnxruntime for CUDA"
            )
    chosen = tuple(wanted or (one for one in (CUDA, CPU) if one in available))
    return chosen if CPU in chosen else (*chosen, CPU)


def _checked(session: Any, path: object, shape: tuple[str | int, ...]) -> _Net:
    """The net, if it has one input of that shape (words are free sizes) and one output of rank 2, both float32."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ContractError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; the contract is one of each")
    (entry,), (exit_,) = inputs, outputs
    if len(entry.shape) != len(shape):
        swapped = f"; are {FEAT} and {METRIC} swapped?" if {len(entry.shape), len(shape)} == {2, 4} else ""
        raise ContractError(f"{path} reads {entry.shape}; the contract is {list(shape)}{swapped}")
    for found, due in zip(entry.shape, shape, strict=True):
        if isinstance(found, int) and found != due and (isinstance(due, int) or due in ("batch", "n")):
            raise ContractError(f"{path} reads {entry.shape}; the contract is {list(shape)}, words being free sizes")
    if exit_.shape and len(exit_.shape) != 2:
        raise ContractError(f"{path} gives {exit_.shape}; the contract is rank 2")
    if entry.type != "tensor(float)" or exit_.type != "tensor(float)":
        raise ContractError(f"{path} reads {entry.type} and gives {exit_.type}; the contract is tensor(float)")
    return _Net(path, session, entry.name, exit_.name)


def in_blocks(
    metric: Callable[[Vectors], NDArray[np.float32]], a: Vectors, b: Vectors | None = None, block: int = BLOCK
) -> NDArray[np.float32]:
    """(n, m) by a metric net that only makes squares, never of more than twice `block` features at once."""
    other = a if b is None else b
    result = np.zeros((len(a), len(other)), np.float32)
    for row in range(0, len(a), block):
        for column in range(row if b is None else 0, len(other), block):
            one, two = a[row : row + block], other[column : column + block]
            if b is None and row == column:
                part = metric(one)
            else:
                part = metric(np.concatenate([one, two]))[: len(one), len(one) :]
            result[row : row + block, column : column + block] = part
            if b is None:
                result[column : column + block, row : row + block] = part.T
    return np.clip(result, 0.0, 1.0, out=result)


def _check_differences(found: NDArray[np.float32], path: object) -> None:
    if not np.isfinite(found).all():
        raise ContractError(f"{path} makes NaN of random features; the contract is a difference in [0, 1]")
    if found.min() < -SANE or found.max() > 1 + SANE:
        raise ContractError(f"{path} makes {found.min():.3g} to {found.max():.3g}; the contract is [0, 1]")
    if np.abs(found - found.T).max() > SANE or np.abs(found.diagonal()).max() > SANE:
        raise ContractError(f"{path} is not symmetric with 0 on the diagonal, as the contract's differences are")


def _probes(dim: int) -> Vectors:
    rng = np.random.default_rng(0)
    random = rng.standard_normal((PROBES, dim)).astype(np.float32)
    scales = np.geomspace(1e-3, 1e3, PROBES, dtype=np.float32)[:, None]
    return np.concatenate([random, random * scales, -random])


def _runtime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise CCIPError(REMEDY) from error
