"""What the encoder is worth on characters it never saw, beside two rules that know nothing of characters."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.stats import mannwhitneyu
from sklearn.metrics import adjusted_rand_score

from rating.ccip.clusters import NOWHERE, Clustering, labels

Differences = npt.NDArray[np.float32]
Pictures = npt.NDArray[np.uint8]

BINS = 8
THUMBNAIL = 8
# eps and min_samples that are tried, of deepghs' three entries of cluster.json.
SEARCHED: dict[str, tuple[str, tuple[int, ...]]] = {
    "dbscan_2": ("dbscan", (2,)),
    "dbscan_free": ("dbscan", (2, 3, 4, 5)),
    "optics": ("optics", (2, 3, 4, 5)),
}
EPS = tuple(round(0.02 + 0.01 * step, 2) for step in range(16))


def auc(differences: Differences, who: Sequence[object], group: Sequence[object] | None = None) -> float:
    """The probability that two pictures of one character are nearer than two of different ones; ties count half.

    ``who`` (N,) names the character of each picture. With ``group`` (N,), such as the hair colours, only pictures of
    the same group meet: the hard pairs.

    Raises:
        ValueError: there are no pairs of one of the two kinds.
    """
    one, other = np.triu_indices(len(differences), 1)
    codes = np.unique(np.asarray(who), return_inverse=True)[1]
    same = codes[one] == codes[other]
    met = np.ones(len(one), dtype=bool)
    if group is not None:
        groups = np.unique(np.asarray(group), return_inverse=True)[1]
        met = groups[one] == groups[other]
    if not (met & same).any() or not (met & ~same).any():
        raise ValueError("too few characters: no two of them can be told apart, or none has two pictures")
    values = differences[one, other]
    nearer = mannwhitneyu(values[met & ~same], values[met & same])
    return float(nearer.statistic / ((met & ~same).sum() * (met & same).sum()))


def histogram_differences(pictures: Pictures) -> Differences:
    """One minus the shared part of two pictures' colour histograms of 8 x 8 x 8 bins; pictures (N, S, S, 3)."""
    level = pictures.astype(np.int64) * BINS // 256
    bins = (level[..., 0] * BINS + level[..., 1]) * BINS + level[..., 2]
    counts = np.stack([np.bincount(one.ravel(), minlength=BINS**3) for one in bins])
    shares = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.stack([1 - np.minimum(one, shares).sum(axis=1) for one in shares])


def thumbnail_differences(pictures: Pictures) -> Differences:
    """Half of one minus the correlation of two pictures' 8 x 8 thumbnails; pictures (N, S, S, 3)."""
    side = (THUMBNAIL, THUMBNAIL)
    small = np.stack([np.asarray(Image.fromarray(one).resize(side, Image.Resampling.BOX)) for one in pictures])
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(axis=0)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return ((1 - flat @ flat.T) / 2).astype(np.float32)


def cluster_settings(
    tuned: Differences, tuned_who: Sequence[object], held: Differences, held_who: Sequence[object]
) -> dict[str, dict[str, float]]:
    """``cluster.json``: for each entry the settings with the best adjusted Rand index on the tuned pictures.

    ``score`` is that index on the held pictures, where nothing was chosen.
    """
    found: dict[str, dict[str, float]] = {}
    for entry, (algorithm, samples) in SEARCHED.items():
        tried = [Clustering(algorithm, eps, least) for eps, least in product(EPS, samples)]
        best = max(tried, key=lambda chosen: rand_index(labels(tuned, chosen), tuned_who))
        score = rand_index(labels(held, best), held_who)
        found[entry] = {"eps": best.eps, "min_samples": best.min_samples, "score": round(score, 4)}
    return found


def rand_index(clusters: npt.NDArray[np.intp], who: Sequence[object]) -> float:
    """Adjusted Rand index of clusters (N,) and characters, each picture in no cluster being one of its own."""
    alone = clusters == NOWHERE
    own = np.where(alone, clusters.max() + 1 + np.cumsum(alone), clusters)
    return float(adjusted_rand_score([str(one) for one in who], own))
