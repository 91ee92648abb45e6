"""Counter-based randomness: every random decision has its own stream, named by a path.

A stream depends on its key alone, never on what was asked before it, so results do not change with the number
of workers, the order of work or a resume, and a new stage with its own name moves no other stage.
"""

import hashlib
import random


def stream_key(seed: int, *path: int | str) -> int:
    """A 128-bit key of (seed, path): BLAKE2b over length-prefixed, type-marked parts.

    ``("a", "b")`` and ``("ab",)`` differ, and so do ``(1,)`` and ``("1",)``.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (seed, *path):
        text = f"{type(part).__name__}:{part}".encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest(), "big")


def stream(seed: int, *path: int | str) -> random.Random:
    """A fresh ``random.Random`` for one purpose, e.g. ``stream(seed, "caption", "dropout", post_id, epoch)``."""
    return random.Random(stream_key(seed, *path))
