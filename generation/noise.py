"""Gaussian noise that depends on (seed, purpose, step) and on nothing else: not on batch, device, dtype or threads.

Each stream is a Philox 4x64 counter generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
with its own 128-bit key, so streams need no order and no state. torch's own generator is not used because it
gives other numbers on other CPU instruction sets.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray


def gaussian(seed: int, purpose: str, step: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal float32 numbers of the given shape, filled in row order.

    Args:
        seed: 0..2**64-1, the upper half of the key.
        purpose: what the noise is for, such as ``"initial"`` or ``"ancestral"``.
        step: index of the sampling step, 0 when there is none; hashed with ``purpose`` into the lower half.
    """
    stream = int.from_bytes(hashlib.blake2b(f"{purpose}/{step}".encode(), digest_size=8).digest())
    generator = np.random.Generator(np.random.Philox(key=seed << 64 | stream))
    # Drawn in double precision: the rounding to float32 hides last-bit differences between maths libraries.
    return generator.standard_normal(math.prod(shape)).astype(np.float32).reshape(shape)


def noise_sha256(noise: NDArray[np.float32]) -> str:
    """Hash of the numbers as little-endian float32 in row order."""
    return hashlib.sha256(np.ascontiguousarray(noise, dtype="<f4").tobytes()).hexdigest()
