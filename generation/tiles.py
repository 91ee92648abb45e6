"""Tiles that cover a picture, and the picture out of tiles, row by row. No torch.

Along each side, neighbouring tiles give way to each other over a ramp in the middle of what they share; weights are
whole numbers that add up to `WEIGHT` everywhere. docs/upscaling.md explains it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.files import write_bytes

WEIGHT = 256
LARGEST_OVERLAP = 1 / 3


@dataclass(frozen=True, slots=True)
class Side:
    """Tiles along one side of a picture.

    Attributes:
        size, tile, ramp: pixels; the ramp is at most a third of the tile.
        unit: where tiles begin are multiples of it.

    Raises ValueError when the picture is smaller than a tile or the ramp is too wide.
    """

    size: int
    tile: int
    ramp: int
    unit: int

    def __post_init__(self) -> None:
        if self.size < self.tile:
            raise ValueError(f"the picture's side of {self.size} is smaller than a tile of {self.tile}: smaller tiles")
        if not 0 < self.ramp <= self.tile * LARGEST_OVERLAP:
            raise ValueError(f"an overlap of {self.ramp} pixels is not from 1 to a third of a tile of {self.tile}")
        if self.size % self.unit or self.tile % self.unit:
            raise ValueError(f"sides of picture and tile ({self.size}, {self.tile}) must be multiples of {self.unit}")

    @property
    def starts(self) -> tuple[int, ...]:
        """First pixel of every tile, evenly spread, the last tile at the picture's end."""
        spare = self.size - self.tile
        steps = -(-spare // max(self.unit, (self.tile - self.ramp) // self.unit * self.unit))
        return (*(spare * i // (steps * self.unit) * self.unit for i in range(steps)), spare)

    def weights(self) -> NDArray[np.uint32]:
        """(tiles, tile): each tile's weight of each of its pixels; for every pixel of the picture they add up to 256.

        A tile keeps its neighbour out of its inner part: the ramp is narrower than what two of them share.
        """
        starts = self.starts
        weights = np.full((len(starts), self.tile), WEIGHT, np.uint32)
        rise = ((2 * np.arange(self.ramp) + 1) * WEIGHT // (2 * self.ramp)).astype(np.uint32)
        for left, (here, there) in enumerate(pairwise(starts)):
            begin = (there + here + self.tile - self.ramp) // 2
            weights[left + 1, : begin - there] = 0
            weights[left + 1, begin - there : begin - there + self.ramp] = rise
            weights[left, begin - here : begin - here + self.ramp] = WEIGHT - rise
            weights[left, begin - here + self.ramp :] = 0
        return weights


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A picture of tiles, each kept as a file of raw RGB bytes in a folder until all are there.

    A tile's file appears whole or not at all, so an interrupted job goes on with the missing ones.
    """

    folder: Path
    across: Side
    down: Side

    def tiles(self) -> list[tuple[int, int]]:
        """(x, y) of the first pixel of every tile, row by row."""
        return [(x, y) for y in self.down.starts for x in self.across.starts]

    def missing(self) -> list[tuple[int, int]]:
        """Tiles without a file."""
        return [tile for tile in self.tiles() if not self._path(*tile).exists()]

    def put(self, x: int, y: int, pixels: NDArray[np.uint8]) -> None:
        """Keep a tile's pixels (tile, tile, 3)."""
        write_bytes(self._path(x, y), pixels.tobytes())

    def rows(self) -> Iterator[NDArray[np.uint8]]:
        """The picture's rows (width, 3), blended from the tiles; only rows of a few tiles are in memory.

        Sums are of whole numbers, so nothing depends on an order.
        """
        across, down = self.across.weights(), self.down.weights()
        starts = self.down.starts
        for y in range(self.down.size):
            total = np.zeros((self.across.size, 3), np.uint32)
            for number, top in enumerate(starts):
                if not top <= y < top + self.down.tile or not (weight := down[number, y - top]):
                    continue
                for column, x in enumerate(self.across.starts):
                    row = self._row(x, top, y - top) * (across[column] * weight)[:, None]
                    total[x : x + self.across.tile] += row
            yield ((total + WEIGHT * WEIGHT // 2) // (WEIGHT * WEIGHT)).astype(np.uint8)

    def _row(self, x: int, y: int, number: int) -> NDArray[np.uint32]:
        length = 3 * self.across.tile
        with self._path(x, y).open("rb") as file:
            file.seek(number * length)
            return np.frombuffer(file.read(length), np.uint8).reshape(-1, 3).astype(np.uint32)

    def _path(self, x: int, y: int) -> Path:
        return self.folder / f"{x}-{y}.rgb"
