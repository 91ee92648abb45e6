"""The golden array of the preprocessing, made without the package: Pillow's resize, and CLIP's formula in float64.

`python -m tests.rating.ccip.golden` writes it again; it should never have to.
"""

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[2] / "data" / "ccip"
PICTURE, ARRAY = FOLDER / "golden.png", FOLDER / "golden.npy"
ROWS, COLUMNS = slice(5, None, 16), slice(7, None, 16)


def picture() -> Image.Image:
    """Neither square nor symmetric, every channel different."""
    y, x = np.mgrid[0:97, 0:150]
    red, green, blue = x * 255 / 149, y * 255 / 96, 127.5 + 127.5 * np.sin(x / 7 + y / 5)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).round().astype(np.uint8))


def array() -> np.ndarray:
    """(3, 24, 24) of float64: every sixteenth pixel of each side of (3, 384, 384)."""
    with Image.open(PICTURE) as image:
        squashed = np.array(image.convert("RGB").resize((384, 384), Image.BILINEAR), dtype=np.float64)
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    return ((squashed / 255.0 - mean) / std).transpose(2, 0, 1)[:, ROWS, COLUMNS]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    picture().save(PICTURE)
    np.save(ARRAY, array())
