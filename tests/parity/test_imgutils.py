"""The same images by dghs-imgutils 0.19 and by ours: `make parity` makes its environment and runs this."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import CCIPEncoder
from rating.ccip.clusters import METHODS
from rating.ccip.encoder import DEFAULT
from tests.rating.ccip.nets import write_encoder
from training.dataset.render import render
from training.dataset.scenes import random_identity, random_scene

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-parity" / "bin" / "python"
SCRIPT = Path(__file__).with_name("by_imgutils.py")
CHARACTERS, IMAGES = 8, 6
CLOSE = 1e-5

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not PYTHON.exists(), reason="dghs-imgutils is not installed: make parity"),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Drawn characters in several sizes, shapes and kinds of file."""
    folder, rng = tmp_path_factory.mktemp("images"), random.Random(0)
    paths = []
    for character in range(CHARACTERS):
        identity = random_identity(rng)
        for number in range(IMAGES):
            image = render(random_scene(rng, identity), (128, 384, 500)[number % 3])
            paths.append(_saved(image, folder / f"{character}-{number}", number))
    return paths


def _saved(image: Image.Image, stem: Path, number: int) -> Path:
    kind = ("png", "jpg", "webp", "png", "png", "png")[number]
    if number == 3:
        image = image.convert("L")
    if number == 4:
        image = image.crop((0, 0, image.width, image.height * 3 // 4))
    if number == 5:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    path = stem.with_suffix(f".{kind}")
    image.save(path)
    return path


@pytest.fixture(scope="module", params=["default", "tiny"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder that comes with the project, and one of random weights."""
    if request.param == "default":
        return DEFAULT
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny", dim=768)


@pytest.fixture(scope="module")
def theirs(folder: Path, images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    result = tmp_path_factory.mktemp("result") / "theirs.npz"
    command = [PYTHON, SCRIPT, folder, result, *images]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    with np.load(result) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> CCIPEncoder:
    return CCIPEncoder.from_dir(folder)


def test_features_are_theirs(encoder: CCIPEncoder, images: list[Path], theirs: dict[str, np.ndarray]) -> None:
    made = encoder.embed(images).vectors
    print(f"largest deviation of a feature: {np.abs(made - theirs['single']).max():.2g}")
    np.testing.assert_array_equal(made, theirs["single"])
    assert np.abs(made - theirs["features"]).max() <= CLOSE


def test_differences_are_theirs(encoder: CCIPEncoder, images: list[Path], theirs: dict[str, np.ndarray]) -> None:
    features = encoder.embed(images)
    deviation = np.abs(encoder.differences(features) - theirs["differences"]).max()
    print(f"largest deviation of a difference: {deviation:.2g}")
    assert deviation <= CLOSE
    assert encoder.threshold == theirs["threshold"]
    np.testing.assert_array_equal(encoder.same(features), theirs["same"])


def test_a_merged_feature_is_theirs(encoder: CCIPEncoder, images: list[Path], theirs: dict[str, np.ndarray]) -> None:
    merged = encoder.merge(encoder.embed(images)[:5])
    assert np.abs(merged.vectors[0] - theirs["merged"]).max() <= CLOSE


@pytest.mark.parametrize("method", METHODS)
def test_clusters_are_theirs(
    encoder: CCIPEncoder, images: list[Path], theirs: dict[str, np.ndarray], method: str
) -> None:
    found = encoder.cluster(encoder.embed(images), method)
    print(f"{method}: {found.max() + 1} clusters, {(found < 0).sum()} images in none")
    np.testing.assert_array_equal(found, theirs[method])
