"""dghs-imgutils, as its documentation shows."""

from pathlib import Path

import numpy as np
from imgutils.metrics import ccip_batch_differences, ccip_batch_extract_features

from tests.parity.by_imgutils import use


class Entrant:
    def __init__(self, folder: Path) -> None:
        use(folder)

    def embed(self, images: list[str]) -> object:
        return ccip_batch_extract_features(images)

    def differences(self, vectors: np.ndarray) -> object:
        return ccip_batch_differences(list(vectors))
