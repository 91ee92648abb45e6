"""Arrays as one column of a database row."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(source: object, names: Iterable[str]) -> bytes:
    """The arrays of these names in numpy's own format, compressed."""
    file = BytesIO()
    np.savez_compressed(file, **{name: getattr(source, name) for name in names})
    return file.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays by their names."""
    with np.load(BytesIO(data), allow_pickle=False) as stored:
        return dict(stored)
