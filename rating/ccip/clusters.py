"""Which images show the same character, without saying which: DBSCAN and OPTICS on differences, by scikit-learn."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.ccip.errors import CCIPError, ContractError
from rating.ccip.folder import CLUSTERS, EncoderFolder

METHODS = ("dbscan", "dbscan_2", "dbscan_free", "optics", "optics_best")
# As dghs-imgutils names and sets them: the others' settings are those of cluster.json, optics_best's under "optics".
ENTRIES = {"dbscan_2": "dbscan_2", "dbscan_free": "dbscan_free", "optics_best": "optics"}
OPTICS_EPS, OPTICS_SAMPLES, DBSCAN_SAMPLES = 0.5, 5, 2
REMEDY = "clustering needs scikit-learn: pip install 'illustration-arena[ccip]'"
NOWHERE = -1
TRIED = 16


@dataclass(frozen=True)
class Clustering:
    """`algorithm` dbscan or optics; `eps` the difference up to which images are neighbours, in [0, 1]; `min_samples`
    how many neighbours, itself among them, make an image the core of a cluster.
    """

    algorithm: str
    eps: float
    min_samples: int


def settings(folder: EncoderFolder, method: str, eps: float | None, min_samples: int | None) -> Clustering:
    """The settings of a method, those given in place of its own; an eps of 0 is a setting like any other.

    Raises CCIPError for an unknown method or a setting out of range, ContractError where cluster.json lacks the method.
    """
    if method not in METHODS:
        raise CCIPError(f"no clustering method {method!r}; there are {', '.join(METHODS)}")
    own_eps, own_samples = _own(folder, method)
    eps = own_eps if eps is None else eps
    min_samples = own_samples if min_samples is None else min_samples
    if not 0 <= eps <= 1 or min_samples < 1:
        raise CCIPError(f"eps must lie in 0 to 1 and min_samples be 1 or more, not {eps} and {min_samples}")
    return Clustering("dbscan" if "dbscan" in method else "optics", float(eps), int(min_samples))


def labels(differences: NDArray[np.float32], chosen: Clustering) -> NDArray[np.intp]:
    """(n,) the number of each image's cluster, -1 for none."""
    count = len(differences)
    if count < max(chosen.min_samples, 2):
        alone = chosen.algorithm == "dbscan" and count >= chosen.min_samples
        return np.arange(count) if alone else np.full(count, NOWHERE)
    cluster = _library()
    if chosen.algorithm == "dbscan":
        # The library wants a positive eps; nothing lies between 0 and the smallest number.
        eps = max(chosen.eps, float(np.nextafter(0.0, 1.0)))
        made = cluster.DBSCAN(eps=eps, min_samples=chosen.min_samples, metric="precomputed")
    else:
        if not (_core_distances(differences, chosen.min_samples) <= chosen.eps).any():
            return np.full(count, NOWHERE)  # where no image is a core the library warns and finds as much
        made = cluster.OPTICS(max_eps=chosen.eps, min_samples=chosen.min_samples, metric="precomputed")
    return np.asarray(made.fit(differences.astype(np.float64)).labels_)


def _core_distances(differences: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    return np.partition(differences, samples - 1, axis=1)[:, samples - 1]


def _own(folder: EncoderFolder, method: str) -> tuple[float, int]:
    if method == "dbscan":
        return folder.threshold, DBSCAN_SAMPLES
    if method == "optics":
        return OPTICS_EPS, OPTICS_SAMPLES
    entry = folder.clusters.get(ENTRIES[method])
    try:
        return float(entry["eps"]), int(entry["min_samples"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError) as error:
        raise ContractError(
            f"{folder.path / CLUSTERS} has no eps and min_samples for {ENTRIES[method]!r}; use dbscan or optics"
        ) from error


def _library() -> Any:
    try:
        return importlib.import_module("sklearn.cluster")
    except ImportError as error:
        raise CCIPError(REMEDY) from error


def tuned(differences: NDArray[np.float32], characters: Sequence[str]) -> dict[str, dict[str, float]]:
    """The content of cluster.json: settings that find named characters best, by the adjusted Rand index.

    An image in no cluster counts as one of its own, as in deepghs' files; eps is looked for among 16 quantiles of the
    differences of one character's images, `min_samples` among 2 to 5.
    """
    codes = np.unique(np.asarray(characters, dtype=str), return_inverse=True)[1]
    same = np.triu(codes[:, None] == codes, 1)
    scales = np.unique(np.quantile(differences[same], np.linspace(0.05, 1.0, TRIED)))
    spaces = {"dbscan_2": ("dbscan", [2]), "dbscan_free": ("dbscan", [2, 3, 4, 5]), "optics": ("optics", [2, 3, 4, 5])}
    found = {}
    for name, (algorithm, samples) in spaces.items():
        tried = [Clustering(algorithm, float(eps), count) for count in samples for eps in scales]
        scores = [_rand_index(labels(differences, one), codes) for one in tried]
        best = int(np.argmax(scores))
        chosen = tried[best]
        found[name] = {"eps": chosen.eps, "min_samples": chosen.min_samples, "score": scores[best]}
    return found


def _rand_index(found: NDArray[np.intp], codes: NDArray[np.intp]) -> float:
    alone = found == NOWHERE
    numbered = np.where(alone, found.max() + 1 + np.cumsum(alone), found)
    return float(importlib.import_module("sklearn.metrics").adjusted_rand_score(codes, numbered))
