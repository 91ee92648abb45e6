"""From labelled images to thresholds of "the same character", and what those are worth on characters not seen.

Unlike the published calibration of the CCIP nets, pairs are taken once each and never of an image with itself, every
distinct difference is a candidate, and F1 is that of "the same" (docs/ccip.md says by how much these differ).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.ccip.encoder import CCIPEncoder, Progress
from rating.ccip.errors import CalibrationError
from rating.ccip.features import Features
from rating.ccip.intervals import Floats

FEWEST = 4  # characters: two on each side of the split
FALSE_POSITIVES = 0.01
LEVEL = 0.95


@dataclass(frozen=True)
class Calibration:
    """`threshold` has the best F1 on half of the characters, `threshold_fpr1` at most 1 % false positives there.

    `threshold_low`, `threshold_high`: its 95 % interval over characters. All else is of the other half: `f1_score`,
    `accuracy`, `precision`, `recall` at the threshold, `fpr1_recall`, `fpr1_fpr` at the other, `auc` of "same", and
    `positives_rate`, the share of its `pairs` that show one character, on which F1 and the threshold depend.
    """

    threshold: float
    threshold_low: float
    threshold_high: float
    threshold_fpr1: float
    f1_score: float
    accuracy: float
    precision: float
    recall: float
    fpr1_recall: float
    fpr1_fpr: float
    auc: float
    auc_calibration: float
    positives_rate: float
    pairs: int
    characters: int
    images: int
    seed: int

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds: deepghs' keys (threshold, f1_score, accuracy, precision, recall) and ours."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs in the order of their difference: `same` (p,) whether of one character, `one` and `other` of which."""

    differences: Floats
    same: NDArray[np.bool_]
    one: NDArray[np.intp]
    other: NDArray[np.intp]

    def cuts(self) -> NDArray[np.intp]:
        """How many pairs lie below each possible threshold: none, and up to the last of equal differences."""
        ends = np.flatnonzero(np.diff(self.differences) > 0) + 1
        return np.concatenate([[0], ends, [len(self.differences)]])

    def threshold(self, count: int) -> float:
        """Between the pairs below and those above."""
        below = self.differences[count - 1] if count else 0.0
        above = self.differences[count] if count < len(self.differences) else 1.0
        return float((below + above) / 2.0)


def calibrate(
    encoder: CCIPEncoder,
    features: Features,
    characters: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = 200,
    progress: Progress | None = None,
) -> Calibration:
    """Thresholds from images of named characters, one name for each feature.

    Raises CalibrationError for fewer than four characters with two images or more.
    """
    return calibrate_matrix(
        encoder.differences(features), characters, seed=seed, resamples=resamples, progress=progress
    )


def calibrate_matrix(
    differences: NDArray[np.float32],
    characters: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = 200,
    progress: Progress | None = None,
) -> Calibration:
    """The same from a matrix of differences (n, n); `seed` splits the characters and resamples them."""
    names, codes = np.unique(np.asarray(characters, dtype=str), return_inverse=True)
    if len(differences) != len(codes):
        raise CalibrationError(f"{len(differences)} images and {len(codes)} names of characters")
    several = check_enough(characters)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    # Those with several images in turn, so that either half has pairs of one character.
    order = np.concatenate([order[np.isin(order, several)], order[~np.isin(order, several)]])
    fit, held = (_pairs(differences, codes, order[side::2]) for side in (0, 1))
    best = _best_f1(fit, np.ones(len(fit.same)))
    thresholds = _resampled(fit, len(names), rng, resamples, progress or (lambda done, total: None))
    tail = (1.0 - LEVEL) / 2.0
    threshold, strict = fit.threshold(best), fit.threshold(_within_false_positives(fit))
    low, high = np.quantile(thresholds, [tail, 1.0 - tail])
    at, at_strict = _quality(held, threshold), _quality(held, strict)
    return Calibration(
        threshold=threshold,
        threshold_low=float(low),
        threshold_high=float(high),
        threshold_fpr1=strict,
        f1_score=at["f1"],
        accuracy=at["accuracy"],
        precision=at["precision"],
        recall=at["recall"],
        fpr1_recall=at_strict["recall"],
        fpr1_fpr=at_strict["fpr"],
        auc=_auc(held),
        auc_calibration=_auc(fit),
        positives_rate=float(held.same.mean()),
        pairs=len(held.same),
        characters=len(names),
        images=len(codes),
        seed=seed,
    )


def check_enough(characters: Sequence[str]) -> NDArray[np.intp]:
    """Which of the sorted names have two images or more. Raises CalibrationError for fewer than four such."""
    counts = np.unique(np.asarray(characters, dtype=str), return_counts=True)[1]
    several = np.flatnonzero(counts > 1)
    if len(several) < FEWEST:
        raise CalibrationError(
            f"{len(several)} characters have two images or more; thresholds need {FEWEST}, good ones 30: add characters"
        )
    return several


def _pairs(differences: NDArray[np.float32], codes: NDArray[np.intp], chosen: NDArray[np.intp]) -> _Pairs:
    """The upper triangle of the images of the chosen characters."""
    images = np.flatnonzero(np.isin(codes, chosen))
    one, other = (images[side] for side in np.triu_indices(len(images), 1))
    values = differences[one, other].astype(np.float64)
    order = np.argsort(values, kind="stable")
    one, other = codes[one[order]], codes[other[order]]
    return _Pairs(values[order], one == other, one, other)


def _best_f1(pairs: _Pairs, weights: Floats) -> int:
    """How many pairs lie below the threshold of the best F1 of "the same"; the lowest of equally good ones."""
    cuts = pairs.cuts()
    right, all_ = _sums(np.where(pairs.same, weights, 0.0))[cuts], _sums(weights)[cuts]
    positives = float(weights[pairs.same].sum())
    # F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (called the same + the same).
    with np.errstate(invalid="ignore"):
        return int(cuts[np.nanargmax(2.0 * right / (all_ + positives))])


def _sums(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def _within_false_positives(pairs: _Pairs) -> int:
    """The most pairs that can lie below a threshold with at most 1 % of those of two characters among them."""
    cuts = pairs.cuts()
    wrong = _sums((~pairs.same).astype(np.float64))
    return int(cuts[wrong[cuts] <= FALSE_POSITIVES * wrong[-1]].max())


def _resampled(
    pairs: _Pairs, characters: int, rng: np.random.Generator, resamples: int, progress: Callable[[int, int], None]
) -> list[float]:
    """Thresholds of the best F1 when characters are drawn with replacement, images of two draws never paired."""
    chosen = np.unique(np.concatenate([pairs.one, pairs.other]))
    found: list[float] = []
    for done in range(1, resamples + 1):
        times = np.bincount(rng.choice(chosen, size=len(chosen)), minlength=characters).astype(np.float64)
        weights = np.where(pairs.same, times[pairs.one], times[pairs.one] * times[pairs.other])
        if weights[pairs.same].any():
            found.append(pairs.threshold(_best_f1(pairs, weights)))
        progress(done, resamples)
    return found


def _quality(pairs: _Pairs, threshold: float) -> dict[str, float]:
    called = pairs.differences <= threshold
    right, positives = int((called & pairs.same).sum()), int(pairs.same.sum())
    wrong, negatives = int(called.sum()) - right, len(called) - positives
    return {
        "f1": 2.0 * right / (int(called.sum()) + positives),
        "accuracy": (right + negatives - wrong) / len(called),
        "precision": right / max(1, right + wrong),
        "recall": right / positives,
        "fpr": wrong / negatives,
    }


def _auc(pairs: _Pairs) -> float:
    """The probability that a pair of one character is nearer than one of two, ties counting half."""
    cuts = pairs.cuts()
    right = _sums(pairs.same.astype(np.float64))[cuts]
    wrong = cuts - right
    return float((np.diff(wrong) * (right[1:] + right[:-1])).sum() / 2.0 / (right[-1] * wrong[-1]))
