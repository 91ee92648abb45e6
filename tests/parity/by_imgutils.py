"""Run by the interpreter of .venv-parity: what dghs-imgutils makes of an encoder folder and images.

usage: python by_imgutils.py ENCODER RESULT.npz IMAGE …
"""

import sys
from pathlib import Path

import numpy as np
from imgutils.metrics import ccip

METHODS = ("dbscan", "dbscan_2", "dbscan_free", "optics", "optics_best")


def use(folder: Path) -> None:
    """Have the hub's files read from the folder, whatever the model is called."""
    ccip.hf_hub_download = lambda repository, file: str(folder / Path(file).name)


def main(encoder: str, result: str, *images: str) -> None:
    """Features in one batch and one by one, differences, merged feature, and labels of every clustering method."""
    use(Path(encoder))
    features = ccip.ccip_batch_extract_features(list(images))
    rows = list(features)
    np.savez(
        result,
        features=features,
        single=np.stack([ccip.ccip_extract_feature(image) for image in images]),
        differences=ccip.ccip_batch_differences(rows),
        same=ccip.ccip_batch_same(rows),
        merged=ccip.ccip_merge(rows[:5]),
        threshold=ccip.ccip_default_threshold(),
        **{method: np.array(ccip.ccip_clustering(rows, method=method)) for method in METHODS},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
