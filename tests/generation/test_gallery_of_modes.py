"""The pictures of docs/modes.md come out again, each by what its own manifest says."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation.imageio import read_archive
from generation.verify import verify
from tests.figures.modes import FOLDER, MASK, PLAIN, RENDERED, SOURCES, UPSCALED
from training.base_files import unpack_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_base(tmp_path_factory.mktemp("base"))[-1]


def opened(path: Path | None) -> Image.Image | None:
    return path and Image.open(path)


@pytest.mark.parametrize("name", [*RENDERED, UPSCALED])
def test_every_picture_passes_verify(base: Path, name: str) -> None:
    image, manifest = read_archive((FOLDER / f"{name}.png").read_bytes())
    source, mask = map(opened, SOURCES.get(name, (None, None)))
    result = verify(image, manifest, base, source=source, mask=mask)
    # Bit for bit on the processor and library versions that made them, within 1/255 on any other.
    other = all(field.startswith("environment.") or field == "pixels" for field in result.differing)
    assert result.code == 0 or (result.code == 3 and other), result


def test_inpainting_keeps_the_black_and_changes_the_white() -> None:
    plain, painted, mask = (np.asarray(Image.open(path)) for path in (PLAIN, FOLDER / "inpainting.png", MASK))
    changed = (plain != painted).any(axis=2)
    assert not changed[mask < 128].any()
    assert changed[mask >= 128].mean() > 0.5
