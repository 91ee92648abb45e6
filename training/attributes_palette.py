"""Colours read from a picture by rule, without learning: a check of the learned one.

Background: the top corners. Skin: the tone that most flat pixels of the face's middle are near to. Hair: what is left
in the upper part once background, skin and thin outlines are taken away; each pixel votes for the nearest hair colour.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.dataset.tables import BACKGROUNDS, HAIR_COLORS, SKINS

Array = npt.NDArray[np.float64]

SIZE = 64
CORNER = 4
FACE = slice(26, 52), slice(14, 50)
HAIR_ROWS = slice(0, 26)
# Distances in OKLab, where black to white is 1.
NEAR = 0.08
SKIN_NEAR = 0.10
FLAT = 0.10


def oklab(rgb: npt.ArrayLike) -> Array:
    """OKLab (Ottosson 2020) of sRGB values in [0, 255], over the last axis."""
    unit = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ _LINEAR_TO_LMS.T)
    return np.asarray(cones @ _LMS_TO_LAB.T)


_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _palette(colors: dict[str, str]) -> tuple[list[str], Array]:
    return list(colors), oklab([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in colors.values()])


def read_colors(image: Image.Image) -> dict[str, str]:
    """Hair colour, background and skin of a rendered head, as the keys of the data set's colour tables."""
    lab = oklab(np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
    corners = np.concatenate([lab[:CORNER, :CORNER].reshape(-1, 3), lab[:CORNER, -CORNER:].reshape(-1, 3)])
    background = np.median(corners, axis=0)
    flat = _flatness(lab) < FLAT
    skin, tone = _skin(lab[FACE][flat[FACE]])
    return {
        "hair_color": _nearest(_hair_pixels(lab[HAIR_ROWS], flat[HAIR_ROWS], background, tone), HAIR_COLORS),
        "background": _nearest(background[None], BACKGROUNDS),
        "skin": skin,
    }


def _skin(face: Array) -> tuple[str, Array]:
    """The skin's name and its tone in this picture: the median of the (n, 3) face pixels near the name's tone."""
    names, palette = _palette({name: skin.hex for name, skin in SKINS.items()})
    distances = np.linalg.norm(face[:, None] - palette[None], axis=-1)
    votes = np.where(distances.min(axis=1, initial=np.inf) < SKIN_NEAR, distances.argmin(axis=1), -1)
    winner = int(np.bincount(votes[votes >= 0], minlength=len(names)).argmax())
    chosen = face[votes == winner]
    return names[winner], np.median(chosen, axis=0) if len(chosen) else palette[winner]


def _hair_pixels(upper: Array, flat: npt.NDArray[np.bool_], background: Array, skin: Array) -> Array:
    """(n, 3) pixels of flat areas of the upper part that are neither background nor skin; all of it if none are."""
    other = (_distance(upper, background) > NEAR) & (_distance(upper, skin) > NEAR)
    chosen = upper[other & flat]
    return chosen if len(chosen) else upper.reshape(-1, 3)


def _flatness(lab: Array) -> Array:
    """(H, W) largest distance of a pixel to its four neighbours; edges of the picture count as flat."""
    padded = np.pad(lab, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.max([_distance(lab, neighbour) for neighbour in around], axis=0)


def _distance(colors: Array, other: Array) -> Array:
    return np.asarray(np.linalg.norm(colors - other, axis=-1))


def _nearest(pixels: Array, colors: dict[str, str]) -> str:
    """The colour that is nearest to most of the (n, 3) pixels."""
    names, palette = _palette(colors)
    votes = np.argmin(np.linalg.norm(pixels[:, None] - palette[None], axis=-1), axis=1)
    return names[int(np.bincount(votes, minlength=len(names)).argmax())]
