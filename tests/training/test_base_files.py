"""Committed files unpack to the very checkpoints that were exported, and load in diffusers as well."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from generation.checkpoint import content_sha256
from generation.loading import load_parts
from training.base_files import FOLDER, export_base, unpack_base
from training.errors import UserError


@pytest.fixture
def exported(small_base: Path, tmp_path: Path) -> Path:
    """Two checkpoints (the second differs in its U-Net's bytes only by name) as committed files."""
    shutil.copytree(small_base, tmp_path / "epoch-01")
    (tmp_path / "log.jsonl").write_text(
        '{"speed": {"wall_s": 1.4, "cpu_s": 2.2}}\n{"speed": {"wall_s": 1.0, "cpu_s": 2.0}}\n'
    )
    export_base([tmp_path / "epoch-01", small_base], tmp_path / "files", {"psnr_db": 26.0}, tmp_path / "log.jsonl")
    return tmp_path / "files"


def test_unpacked_folders_equal_the_exported_ones(exported: Path, small_base: Path, tmp_path: Path) -> None:
    folders = unpack_base(tmp_path / "out", exported)
    assert [folder.name for folder in folders] == ["epoch-01", "base"]
    assert {content_sha256(folder) for folder in folders} == {content_sha256(small_base)}
    load_parts(folders[-1])


def test_the_manifest_tells_licence_figures_and_times(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert manifest["licence"] == "CC0-1.0"
    assert manifest["training"] == {"steps": 0, "wall_s": 2, "cpu_s": 4}
    assert manifest["figures"] == {"psnr_db": 26.0}


def test_unpacking_again_leaves_whole_folders_alone(exported: Path, tmp_path: Path) -> None:
    first = unpack_base(tmp_path / "out", exported)[-1].stat().st_ino
    assert unpack_base(tmp_path / "out", exported)[-1].stat().st_ino == first


def test_a_damaged_committed_file_is_named(exported: Path, tmp_path: Path) -> None:
    (exported / "base" / "unet" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="the committed base is damaged"):
        unpack_base(tmp_path / "out", exported)


def test_missing_committed_files_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"manifest.json is missing: .*make base"):
        unpack_base(tmp_path / "out", tmp_path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' scheduler, not ours
def test_a_checkpoint_is_a_diffusers_pipeline(small_base: Path) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(small_base, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("1girl, blue hair", num_inference_steps=2, height=64, width=64, output_type="np").images[0]
    assert image.shape == (64, 64, 3)
    assert np.isfinite(image).all()


def test_the_committed_base_is_small_and_sound(tmp_path: Path) -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 16_000_000
    for folder in unpack_base(tmp_path):
        load_parts(folder)
