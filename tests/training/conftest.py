"""A data set and an untrained base, both real and both as small as they can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.buckets import BucketConfig, BucketSet
from training.caption_config import TINY
from training.config import Architecture, Preset
from training.data import choose_posts
from training.dataset.plan import Plan
from training.dataset.writer import write_dataset
from training.modules import build_vae
from training.sources import read_posts
from training.start import write_start
from training.train_config import DiffusionConfig, ObjectiveConfig, OptimizerConfig, ScheduleConfig

SMALL = Architecture(
    vae_channels=(8, 8, 8),
    unet_channels=(8, 16),
    unet_heads=(1, 2),
    text_widths=(8, 16),
    text_heads=2,
)

SMALL_PRESET = Preset(
    name="small",
    title="small",
    posts="named",
    general_share=0.25,
    buckets=BucketConfig((BucketSet(64 * 64 / 2**20, step=64, min_side=64, max_side=64),)),
    caption=replace(TINY, tag_dropout=0.3),
    objective=ObjectiveConfig(pad_mask=False, input_perturbation=0.0),
    optimizer=OptimizerConfig(unet_lr=1.5e-3, text_lr=1.5e-3, ema=0.995),
    schedule=ScheduleConfig(warmup=1),
    diffusion=DiffusionConfig(epochs=2, steps_per_epoch=4, batch=4),
)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 general posts and one of each named character."""
    folder = tmp_path_factory.mktemp("data") / "dataset"
    write_dataset(folder, Plan(seed=0, images=20, named=1), command="test", workers=1)
    return folder


@pytest.fixture(scope="session")
def small_base(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained base over a random autoencoder, as the base's own training starts."""
    return untrained(small_data, tmp_path_factory.mktemp("base") / "start", SMALL)


def untrained(data: Path, folder: Path, architecture: Architecture) -> Path:
    """A base of so large parts, its tokens those of the data."""
    torch.manual_seed(0)
    posts, general = read_posts(data), choose_posts(data, "general")
    fields = {"run": "start", "epoch": 0, "step": 0, "name": "start", "preset": "small", "licence": "CC0-1.0",
              "attribution": "a test", "dataset": {}, "config": {}}  # fmt: skip
    write_start(folder, build_vae(architecture), posts, general, data, architecture, 0, fields)
    return folder


@pytest.fixture
def small_preset() -> Preset:
    """Two epochs of four steps."""
    return SMALL_PRESET
