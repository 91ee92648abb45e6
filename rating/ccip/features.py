"""Feature vectors that know whose they are, and the difference (1 - cos) / 2 of two of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating.ccip.errors import FeatureError

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Features:
    """`vectors` (n, dim) in float32, `encoder` the identity of the encoder that made them.

    Raises FeatureError for vectors that have no direction: zero, NaN or infinite. What dghs-imgutils makes of those is
    a row of NaN, which is silently "not the same character".
    """

    vectors: Vectors
    encoder: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise FeatureError(f"features are float32 (n, dim), not {self.vectors.dtype} {self.vectors.shape}")
        finite = np.isfinite(self.vectors).all(axis=1)
        if not finite.all():
            raise FeatureError(f"feature {int(finite.argmin())} holds NaN or infinity; there is no such image")
        present = self.vectors.any(axis=1)
        if not present.all():
            raise FeatureError(f"feature {int(present.argmin())} is zero and has no direction to compare")

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: slice | NDArray[np.intp] | list[int]) -> "Features":
        return Features(self.vectors[rows], self.encoder)


def directions(vectors: Vectors) -> Vectors:
    """(n, dim) of length 1. Lengths are taken in double precision: squares of large features leave float32."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return vectors / length.astype(np.float32)[:, None]


def cosine_differences(a: Vectors, b: Vectors | None = None) -> NDArray[np.float32]:
    """(n, m) of (1 - cos) / 2 in [0, 1]; without b of a with itself: symmetric, 0 on the diagonal."""
    one = directions(a)
    # One array that is turned into the result: 5000 x 5000 is 100 MB.
    result = one @ (one if b is None else directions(b)).T
    result *= np.float32(-0.5)
    result += np.float32(0.5)
    np.clip(result, 0.0, 1.0, out=result)
    if b is None:
        np.fill_diagonal(result, 0.0)
    return result
