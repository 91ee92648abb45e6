"""Encoders and images that need no trained net."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import CCIPEncoder
from tests.rating.ccip.nets import write_encoder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder folder as deepghs publish theirs, without a manifest. Copy it before changing it."""
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture
def with_encoder(folder: Path, tmp_path: Path) -> list[object]:
    """Options of `python -m rating ccip` that name the encoder and a cache of the test's own."""
    return ["--encoder", folder, "--cache", tmp_path / "cache.sqlite", "--threads", 1]


@pytest.fixture
def encoder(folder: Path) -> CCIPEncoder:
    return CCIPEncoder.from_dir(folder)


def noise_image(seed: int, size: tuple[int, int] = (90, 70)) -> Image.Image:
    """Smooth noise: unlike a flat one it has a direction of its own, unlike white noise a net of cells sees it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def images() -> Callable[[int], list[Image.Image]]:
    return lambda count: [noise_image(seed) for seed in range(count)]


def portrait(character: int, number: int, *, likeness: float = 0.7) -> Image.Image:
    """Image `number` of a character: its own pattern, and for the rest one of the image's."""
    own = np.asarray(noise_image(1000 + character), float)
    rest = np.asarray(noise_image(100_000 + 1000 * character + number), float)
    return Image.fromarray((likeness * own + (1 - likeness) * rest).round().astype(np.uint8))
