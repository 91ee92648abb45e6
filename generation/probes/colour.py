"""Luminance and CIELAB of pictures, in numpy."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float64]

LUMA = np.array([0.2126, 0.7152, 0.0722])
# sRGB (IEC 61966-2-1) to XYZ, divided by the white point D65.
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])
DELTA = 6 / 29


def luminance(pixels: Pixels) -> Numbers:
    """(..., 3) bytes to (...) luma 0..255: 0.2126 R + 0.7152 G + 0.0722 B (Rec. ITU-R BT.709)."""
    values: Numbers = pixels @ LUMA
    return values


def lab(pixels: Pixels) -> Numbers:
    """(..., 3) sRGB bytes to CIELAB under D65 (CIE 15): L* 0..100, a* and b* about -128..127."""
    scaled = pixels / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    xyz = linear @ TO_XYZ.T
    f = np.where(xyz > DELTA**3, np.cbrt(xyz), xyz / (3 * DELTA**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def of_hex(text: str) -> Pixels:
    """(3,) bytes of ``#rrggbb``. Raises ValueError for anything else."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"{text!r} is no colour; write #rrggbb")
    return np.frombuffer(bytes.fromhex(text[1:]), dtype=np.uint8)
