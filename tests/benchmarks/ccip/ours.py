"""Ours, as a command would use it."""

import os
from pathlib import Path

import numpy as np

from rating.ccip import CCIPEncoder, Features


class Entrant:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoder = CCIPEncoder.from_dir(folder)
        self.encoder.check()

    def embed(self, images: list[str]) -> object:
        """Without the embeddings of an earlier run, but with the nets open and checked."""
        again = CCIPEncoder(self.encoder.folder, threads=os.cpu_count())
        again.nets, again._known = self.encoder.nets, self.encoder._known
        return again.embed(images)

    def differences(self, vectors: np.ndarray) -> object:
        return self.encoder.differences(Features(vectors, self.encoder.identity))
