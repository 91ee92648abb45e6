"""An encoder folder is what the CCIP contract says, or the error names the difference."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from rating.ccip import CCIPEncoder, CCIPError, ContractError, MissingFileError, Preprocess, write_manifest
from rating.ccip.embedding import Lanes
from rating.ccip.nets import CPU, CUDA, chosen_providers
from tests.rating.ccip.nets import feat_net, features_by_hand, metric_net, write_encoder

ROOT = Path(__file__).resolve().parents[3]
FILES = ("model_feat.onnx", "model_metrics.onnx", "metrics.json", "cluster.json")


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "own"))


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(ContractError) as error:
        CCIPEncoder.from_dir(folder).check()
    for word in words:
        assert word in str(error.value)


def test_a_deepghs_folder_works_unchanged(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    encoder = CCIPEncoder.from_dir(folder)
    found = encoder.check()
    assert (found.dim, found.cosine, encoder.threshold, encoder.name) == (64, True, 0.1, "tiny")
    assert encoder.folder.preprocess == Preprocess()
    for name, digest in encoder.folder.hashes.items():
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_names_of_inputs_and_outputs_are_read_from_the_graph(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "e", feat=feat_net(names="other_"), metric=metric_net(names="mine_"))
    assert CCIPEncoder.from_dir(folder).check().cosine


def test_features_are_what_the_net_makes_of_the_pixels(encoder: CCIPEncoder, images) -> None:
    shown = images(3)
    pixels = np.stack([encoder.folder.preprocess(image) for image in shown])
    np.testing.assert_allclose(
        encoder.embed(shown).vectors, features_by_hand(pixels), atol=3e-5
    )  # float32 sums of 2304


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(own: Path, name: str) -> None:
    (own / name).unlink()
    with pytest.raises(MissingFileError, match=name):
        CCIPEncoder.from_dir(own)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        CCIPEncoder.from_dir(tmp_path / "nowhere")


def test_swapped_nets_are_told(own: Path) -> None:
    (own / FILES[0]).rename(own / "kept")
    (own / FILES[1]).rename(own / FILES[0])
    (own / "kept").rename(own / FILES[1])
    refused(own, "model_feat.onnx", "swapped")


def test_another_size_than_the_manifest_says_is_named(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "e", feat=feat_net(size=224))
    refused(folder, "model_feat.onnx", "224", "384")
    write_manifest(folder, name="small", preprocess=Preprocess(size=224))
    assert CCIPEncoder.from_dir(folder).check().dim == 64


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    refused(write_encoder(tmp_path / "e", feat=feat_net(batch=1)), "model_feat.onnx", "batch")


def test_nets_of_different_dimensions_are_refused(tmp_path: Path) -> None:
    refused(write_encoder(tmp_path / "e", dim=64, metric=metric_net(32)), "model_metrics.onnx", "64")


def test_two_outputs_are_refused(tmp_path: Path) -> None:
    net = feat_net()
    net.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["batch", 192]))
    refused(write_encoder(tmp_path / "e", feat=net), "1 inputs and 2 outputs")


def test_a_metric_net_that_is_not_square_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["input"], ["output"])
    shape = ["n", 64]
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    refused(write_encoder(tmp_path / "e", metric=net), "model_metrics.onnx", "square")


def test_a_net_in_half_precision_is_refused(tmp_path: Path) -> None:
    net = feat_net()
    net.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    net.graph.node.insert(0, helper.make_node("Cast", ["input"], ["wide"], to=TensorProto.FLOAT))
    net.graph.node[1].input[0] = "wide"
    refused(write_encoder(tmp_path / "e", feat=net), "float16", "tensor(float)")


def test_what_is_no_net_is_refused(own: Path) -> None:
    (own / FILES[0]).write_bytes(b"not a net")
    refused(own, "model_feat.onnx", "cannot be opened")


@pytest.mark.parametrize("content", ["[]", "{", '{"threshold": "much"}', '{"f1_score": 0.9}', '{"threshold": 1.5}'])
def test_a_damaged_metrics_file_is_refused(own: Path, content: str) -> None:
    (own / "metrics.json").write_text(content)
    with pytest.raises(ContractError, match=r"metrics\.json"):
        CCIPEncoder.from_dir(own)


def test_the_manifest_seals_the_files(own: Path) -> None:
    write_manifest(own, name="sealed", notice="own domain only", licence="MIT")
    sealed = CCIPEncoder.from_dir(own)
    stated = json.loads((own / "manifest.json").read_text())["preprocess"]
    assert (stated["resize"], stated["filter"], stated["background"]) == ("squash", "bilinear", "white")
    assert (sealed.name, sealed.notice) == ("sealed", "own domain only")
    (own / "metrics.json").write_text('{"threshold": 0.2}')
    with pytest.raises(ContractError, match=r"metrics\.json is not the file"):
        CCIPEncoder.from_dir(own)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "ccip/9"},
        {"preprocess": {"mean": [0.5, 0.5]}},
        {"preprocess": {"crop": True}},
        {"preprocess": {"filter": "bicubic"}},
        {"files": None},
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(own: Path, change: dict) -> None:
    write_manifest(own, name="sealed")
    manifest = json.loads((own / "manifest.json").read_text())
    (own / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ContractError):
        CCIPEncoder.from_dir(own)


def test_cuda_is_used_where_it_is_present_and_coreml_never_by_itself() -> None:
    assert chosen_providers(["CUDAExecutionProvider", CPU]) == (CUDA, CPU)
    assert chosen_providers(["CoreMLExecutionProvider", CPU]) == (CPU,)
    assert chosen_providers(["CUDAExecutionProvider", CPU], [CPU]) == (CPU,)
    with pytest.raises(CCIPError, match="CUDAExecutionProvider"):
        chosen_providers([CPU], [CUDA])


def test_importing_loads_no_onnxruntime_and_a_folder_opens_no_net(folder: Path) -> None:
    code = (
        f"import sys; from rating.ccip import CCIPEncoder; e = CCIPEncoder.from_dir({str(folder)!r});"
        "heavy = {'onnxruntime', 'sklearn', 'huggingface_hub', 'scipy', 'django'} & set(sys.modules);"
        "print(sorted(heavy), e.nets.opened)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_opens_its_own_session(folder: Path) -> None:
    code = f"""
import os, sys
import numpy as np
from rating.ccip import CCIPEncoder
e = CCIPEncoder.from_dir({str(folder)!r})
e.check()
assert e.nets.opened
child = os.fork()
if not child:
    assert not e.nets.opened
    pixels = np.ones((1, 3, 384, 384), np.float32)
    ok = np.isfinite(e.nets.features(pixels)).all() and e.nets.opened
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert e.nets.opened
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_a_net_without_the_library_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CCIPError, match=r"pip install 'illustration-arena\[ccip\]'"):
        CCIPEncoder.from_dir(folder).check()


def test_the_tiny_nets_are_valid(folder: Path) -> None:
    for name in FILES[:2]:
        onnx.checker.check_model(onnx.load(folder / name))


def test_sessions_run_on_one_thread_that_does_not_spin(encoder: CCIPEncoder) -> None:
    encoder.check()
    for name in FILES[:2]:
        options = encoder.nets._net(name).session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_chunks_and_threads_are_the_providers_or_those_asked_for() -> None:
    assert Lanes().of(CPU) == (1, 1)
    threads, chunk = Lanes().of(CUDA)
    assert threads >= 1
    assert chunk >= 8
    assert Lanes(cores=64).of(CPU) == (64, 1)
    assert Lanes(cores=64).of(CUDA) == (threads, chunk), "a GPU's chunks fill memory, whatever the cores"
    assert Lanes(threads=3, chunk=5).of(CUDA) == Lanes(threads=3, chunk=5).of(CPU) == (3, 5)


class WithoutLibraries:
    """onnxruntime-gpu where the libraries of CUDA are missing: it has the name and runs on the CPU."""

    SessionOptions = staticmethod(onnxruntime.SessionOptions)

    @staticmethod
    def get_available_providers() -> list[str]:
        return [CUDA, CPU]

    @staticmethod
    def InferenceSession(path: str, options: object, providers: list[tuple[str, dict]]) -> object:
        assert [name for name, _ in providers] == [CUDA, CPU]
        return onnxruntime.InferenceSession(path, options, providers=[CPU])


class StandIn:
    """onnxruntime-gpu, its nets run by the CPU all the same: what it was given, and whether two ran at once."""

    SessionOptions = staticmethod(onnxruntime.SessionOptions)

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.batches: list[int] = []
        self.running = threading.Lock()

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(self, path: str, options: object, providers: list[tuple[str, dict]]) -> "StandInSession":
        self.options = dict(providers)[CUDA]
        return StandInSession(self, onnxruntime.InferenceSession(path, options, providers=[CPU]))


class StandInSession:
    def __init__(self, runtime: StandIn, session: onnxruntime.InferenceSession) -> None:
        self.runtime, self.session = runtime, session
        self.get_inputs, self.get_outputs = session.get_inputs, session.get_outputs

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def run(self, names: list[str], values: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert self.runtime.running.acquire(blocking=False), "two at once on one GPU"
        try:
            self.runtime.batches.append(len(next(iter(values.values()))))
            return self.session.run(names, values)
        finally:
            self.runtime.running.release()


def test_on_a_gpu_sixteen_images_run_at_once_and_one_run_after_the_other(
    folder: Path, images, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = CCIPEncoder.from_dir(folder).embed(images(40)).vectors
    runtime = StandIn()
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    encoder = CCIPEncoder.from_dir(folder, cores=64)
    encoder.check()
    runtime.batches.clear()
    made = encoder.embed(images(40)).vectors
    assert encoder.nets.provider == CUDA
    assert sorted(runtime.batches) == [8, 16, 16]
    assert runtime.options["use_tf32"] == "0"
    assert np.abs(made - plain).max() <= 1e-6


def test_a_gpu_that_cannot_be_loaded_is_the_cpu_unless_it_was_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", WithoutLibraries)
    assert CCIPEncoder.from_dir(folder).nets.provider == CPU
    with pytest.raises(CCIPError, match="CUDAExecutionProvider cannot be loaded"):
        CCIPEncoder.from_dir(folder, providers=[CUDA]).check()
