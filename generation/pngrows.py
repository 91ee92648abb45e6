"""A PNG written row by row, for pictures that are never in memory as a whole (PNG specification, third edition)."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from generation.imageio import COMPRESS_LEVEL

SIGNATURE = b"\x89PNG\r\n\x1a\n"
EIGHT_BIT_RGB = bytes((8, 2, 0, 0, 0))
FILTER_UP = b"\x02"
PIECE = 1 << 16


def write_png(file: BinaryIO, width: int, height: int, rows: Iterable[NDArray[np.uint8]], chunks: PngInfo) -> None:
    """Write 8-bit RGB rows, each (width, 3), after the text chunks.

    Raises ValueError when there are not ``height`` rows of that width.
    """
    file.write(SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">II", width, height) + EIGHT_BIT_RGB)
    for name, data, *_ in chunks.chunks:
        _chunk(file, name, data)
    for piece in _compressed(width, height, rows):
        _chunk(file, b"IDAT", piece)
    _chunk(file, b"IEND", b"")


def _compressed(width: int, height: int, rows: Iterable[NDArray[np.uint8]]) -> Iterator[bytes]:
    packer = zlib.compressobj(COMPRESS_LEVEL)
    above, count, waiting = np.zeros((width, 3), np.uint8), 0, b""
    for row in rows:
        if row.shape != (width, 3):
            raise ValueError(f"row {count} has the shape {row.shape}, not ({width}, 3)")
        waiting += packer.compress(FILTER_UP + (row - above).tobytes())
        above, count = row, count + 1
        if len(waiting) >= PIECE:
            yield waiting
            waiting = b""
    if count != height:
        raise ValueError(f"{count} rows came for a picture of {height}")
    yield waiting + packer.flush()


def _chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
