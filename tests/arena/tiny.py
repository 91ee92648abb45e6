"""Real but tiny parts for the arena's tests: an untrained checkpoint, three characters, a media folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from generation.single import read_header
from generation.tiny import write_tiny_checkpoint


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete checkpoint, epoch 1 of the run "tiny"; read only."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-1"
    write_tiny_checkpoint(folder, seed=1, epoch=1)
    return folder


@pytest.fixture
def media(settings, tmp_path: Path) -> Path:
    """Where this test's images go; one thread, for the suite shares its cores."""
    settings.ARENA_RENDER_THREADS = 1
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def small_dataset(tmp_path: Path) -> Path:
    """Three named characters with two reference pictures each."""
    folder = tmp_path / "dataset"
    rows = []
    for index, (name, person) in enumerate((("akari", "1girl"), ("goro", "1boy"), ("mei_lin", "1girl"))):
        references = [f"images/{name}-{number}.png" for number in (1, 2)]
        for number, path in enumerate(references):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), (80 * index, 100 * number, 40)).save(folder / path)
        rows.append({"name": name, "tags": [person, "red_hair", "green_eyes"], "references": references})
    (folder / "characters.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture
def tiny_lora(tiny_folder: Path, tmp_path: Path) -> Path:
    """A LoRA in kohya's naming for checkpoints of the tiny architecture, trained on the one of `tiny_folder`."""
    weights = read_header(tiny_folder / "unet" / "diffusion_pytorch_model.safetensors").shapes
    tensors = {}
    for number, name in enumerate(name for name in weights if name.endswith("attn2.to_v.weight")):
        rows, columns = weights[name]
        flat = f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}"
        rng = np.random.default_rng(number)
        tensors[f"{flat}.lora_down.weight"] = rng.normal(size=(2, columns)).astype(np.float32)
        tensors[f"{flat}.lora_up.weight"] = rng.normal(size=(rows, 2)).astype(np.float32)
        tensors[f"{flat}.alpha"] = np.array(2, np.float32)
    said = {
        "modelspec.title": "bold lines",
        "modelspec.license": "CC0-1.0",
        "ss_network_dim": "2",
        "ss_new_sd_model_hash": json.loads((tiny_folder / "checkpoint.json").read_text())["sha256"],
        "ss_dataset_dirs": "/home/someone/secret",
    }
    path = tmp_path / "loras" / "bold.safetensors"
    path.parent.mkdir()
    save_file(tensors, path, metadata=said)
    return path
