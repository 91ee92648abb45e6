"""Latents of pictures, encoded once: a cache keyed by content, so that whatever changes a latent changes its name.

docs/latents.md
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from training.buckets import Crop
from training.errors import UserError
from training.images import to_float

CHUNK = 8  # the most pictures in one pass of the encoder
CHUNK_PIXELS = 2 * 2**20  # and their most pixels: SDXL's encoder holds several maps of 0.5 GiB for each 2^20 of them
SHARD_BYTES = 256 * 2**20


@torch.no_grad()
def encode(vae: Any, pixels: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Posterior means (N, C, h, w), not normalised, of N pictures (H, W, 3) of one size, on the encoder's device.

    The encoder always gets as many pictures of a size (`at_once`), the last ones repeated: sums of another number may
    round differently, and a latent's bits depend on its picture alone.
    """
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    count = at_once(*images.shape[2:])
    parts = []
    for part in images.split(count):
        filled = torch.cat([part, part[-1:].expand(count - len(part), -1, -1, -1)])
        parts.append(vae.encode(to_float(filled).to(vae.device)).latent_dist.mean[: len(part)])
    return torch.cat(parts)


def at_once(height: int, width: int) -> int:
    """How many pictures of a size go through the encoder in one pass: 8 up to 512 x 512, 2 of 1024 x 1024, then 1."""
    return max(1, min(CHUNK, CHUNK_PIXELS // (height * width)))


class LatentCache:
    """Latents by `key` in ``<folder>/latents-*.safetensors``; any number of processes may write, each whole files."""

    def __init__(self, folder: Path, vae_sha256: str) -> None:
        """Raises UserError where a file of the cache is damaged."""
        self._folder, self._vae = folder, vae_sha256
        self._fresh: dict[str, torch.Tensor] = {}
        self._files: dict[Path, Any] = {}
        self._where: dict[str, Any] = {}
        self.reload()

    def key(self, picture_sha256: str, crop: Crop) -> str:
        """The name of a latent: of the picture's bytes, the autoencoder, the size and the cut; and of how many go
        through the encoder at once, unless it is `CHUNK`.
        """
        cut = (*crop.resized, crop.left, crop.top, *crop.target)
        count = at_once(*crop.target)
        text = ":".join([picture_sha256, self._vae, *map(str, cut), *([f"{count} at once"] if count != CHUNK else [])])
        return hashlib.sha256(text.encode()).hexdigest()

    def missing(self, keys: Iterable[str]) -> set[str]:
        """Those that have to be encoded."""
        return {key for key in keys if key not in self._where and key not in self._fresh}

    def add(self, keys: Sequence[str], latents: torch.Tensor) -> None:
        """Take in latents (N, C, h, w); now and then they are written. Raises UserError where the disk refuses."""
        self._fresh |= {key: latent.cpu().contiguous().clone() for key, latent in zip(keys, latents, strict=True)}
        if sum(latent.nbytes for latent in self._fresh.values()) >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk yet. Raises UserError where the disk refuses."""
        if not self._fresh:
            return
        name = hashlib.sha256("".join(sorted(self._fresh)).encode()).hexdigest()[:16]
        file = self._folder / f"latents-{name}.safetensors"
        partial = file.with_suffix(f".{os.getpid()}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_file(self._fresh, partial)
            os.replace(partial, file)
        except (OSError, SafetensorError) as error:
            partial.unlink(missing_ok=True)
            raise UserError(
                f"cannot write {file}: {error}; free some space, or set latents = 'encoded' to do without the cache"
            ) from error
        self._fresh.clear()
        self.reload()

    def reload(self) -> None:
        """See what other processes wrote."""
        for path in sorted(self._folder.glob("latents-*.safetensors")):
            if path in self._files:
                continue
            try:
                self._files[path] = safe_open(path, "pt")
                self._where |= dict.fromkeys(self._files[path].keys(), self._files[path])
            except (OSError, SafetensorError) as error:
                raise UserError(f"{path} is damaged ({error}): delete it, its pictures are encoded again") from error

    def get(self, keys: Sequence[str]) -> torch.Tensor:
        """Latents (N, C, h, w) of one size, on the CPU. Raises KeyError for one that is missing."""
        return torch.stack(
            [self._fresh[key] if key in self._fresh else self._where[key].get_tensor(key) for key in keys]
        )
