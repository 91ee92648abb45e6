"""Thresholds from labelled images: against scikit-learn, and on worlds with a known answer."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from rating.ccip import CalibrationError, CCIPEncoder, calibrate
from rating.ccip.calibration import calibrate_matrix
from rating.ccip.clusters import Clustering, labels, tuned
from rating.ccip.features import cosine_differences
from tests.rating.ccip.conftest import portrait


def world(characters: int, images: int, *, noise: float = 1.2, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Differences of images scattered around their characters, and whose they are."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.standard_normal((characters, 32)), images, axis=0)
    vectors = (centres + noise * rng.standard_normal(centres.shape)).astype(np.float32)
    return cosine_differences(vectors), [f"c{at:03}" for at in range(characters) for _ in range(images)]


def upper(differences: np.ndarray, names: Sequence[str], kept: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """Differences and "the same" of each pair once, of these characters' images."""
    chosen = np.flatnonzero([name in kept for name in names])
    one, other = np.triu_indices(len(chosen), 1)
    same = np.array(names)[chosen[one]] == np.array(names)[chosen[other]]
    return differences[chosen[one], chosen[other]].astype(float), same


def halves(differences: np.ndarray, names: Sequence[str], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    order = np.random.default_rng(seed).permutation(len(set(names)))
    known = sorted(set(names))
    return [upper(differences, names, {known[at] for at in order[side::2]}) for side in (0, 1)]


def test_the_threshold_has_the_best_f1_of_the_one_half() -> None:
    differences, names = world(24, 6)
    made = calibrate_matrix(differences, names, resamples=10)
    (fit, same), _ = halves(differences, names)
    best = max(
        2 * (same & (fit <= candidate)).sum() / ((fit <= candidate).sum() + same.sum()) for candidate in np.unique(fit)
    )
    assert f1_score(same, fit <= made.threshold) == pytest.approx(best)


def test_the_other_half_says_what_it_is_worth() -> None:
    differences, names = world(24, 6)
    made = calibrate_matrix(differences, names, resamples=10)
    (fit, fit_same), (held, same) = halves(differences, names)
    called = held <= made.threshold
    assert made.f1_score == pytest.approx(f1_score(same, called))
    assert made.precision == pytest.approx(precision_score(same, called))
    assert made.recall == pytest.approx(recall_score(same, called))
    assert made.accuracy == pytest.approx(accuracy_score(same, called))
    assert made.auc == pytest.approx(roc_auc_score(same, -held))
    assert made.auc_calibration == pytest.approx(roc_auc_score(fit_same, -fit))
    assert made.positives_rate == pytest.approx(same.mean())
    assert (made.pairs, made.characters, made.images) == (len(held), 24, 144)


def test_a_pair_is_taken_once_and_no_image_with_itself() -> None:
    # 12 characters on either side, 3 images each: 36 x 35 / 2 pairs, 12 x 3 of them of one character.
    differences, names = world(24, 3)
    made = calibrate_matrix(differences, names, resamples=10)
    assert made.pairs == 630
    assert made.positives_rate == pytest.approx(36 / 630)


def test_the_strict_threshold_lets_one_in_a_hundred_through() -> None:
    differences, names = world(60, 6)
    made = calibrate_matrix(differences, names, resamples=10)
    (fit, same), (held, held_same) = halves(differences, names)
    wrong = np.sort(fit[~same])
    assert (wrong <= made.threshold_fpr1).mean() <= 0.01
    # One pair more would be too many.
    above = fit[fit > made.threshold_fpr1].min()
    assert (wrong <= above).mean() > 0.01 or above in fit[same]
    assert made.fpr1_fpr == pytest.approx((held[~held_same] <= made.threshold_fpr1).mean())
    assert 0.005 < made.fpr1_fpr < 0.02
    assert made.fpr1_recall == pytest.approx((held[held_same] <= made.threshold_fpr1).mean())


def test_the_best_f1_moves_with_the_number_of_characters_and_the_strict_threshold_hardly() -> None:
    few = [calibrate_matrix(*world(8, 8, seed=seed), resamples=10) for seed in range(8)]
    many = [calibrate_matrix(*world(120, 8, seed=seed), resamples=10) for seed in range(2)]
    threshold, strict = (
        [np.mean([getattr(one, name) for one in group]) for group in (few, many)]
        for name in ("threshold", "threshold_fpr1")
    )
    assert threshold[0] - threshold[1] > 2 * abs(strict[0] - strict[1])


def test_the_interval_holds_the_threshold_and_narrows_with_characters() -> None:
    few, many = (calibrate_matrix(*world(count, 6), resamples=100) for count in (16, 100))
    for one in (few, many):
        assert one.threshold_low <= one.threshold <= one.threshold_high
    assert many.threshold_high - many.threshold_low < few.threshold_high - few.threshold_low


def test_the_same_seed_gives_the_same_numbers() -> None:
    differences, names = world(12, 5)
    seen: list[tuple[int, int]] = []
    made = calibrate_matrix(
        differences, names, seed=4, resamples=20, progress=lambda done, total: seen.append((done, total))
    )
    assert calibrate_matrix(differences, names, seed=4, resamples=20) == made
    assert calibrate_matrix(differences, names, seed=5, resamples=20) != made
    assert seen == [(done, 20) for done in range(1, 21)]


def test_characters_that_are_never_confused_are_told_apart_without_error() -> None:
    made = calibrate_matrix(*world(20, 5, noise=0.05), resamples=10)
    assert (made.f1_score, made.auc, made.fpr1_recall) == (1.0, 1.0, 1.0)


def test_the_file_has_deepghs_keys_and_more() -> None:
    made = calibrate_matrix(*world(12, 5), resamples=10).metrics()
    assert {"threshold", "f1_score", "accuracy", "precision", "recall"} < set(made)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


@pytest.mark.parametrize("names", [["a"] * 4 + ["b"] * 4, ["a", "a", "b", "b", "c", "c", "d", "e"]])
def test_too_few_characters_teach_nothing(names: list[str]) -> None:
    with pytest.raises(CalibrationError, match="need 4"):
        calibrate_matrix(np.zeros((8, 8), np.float32), names)


def test_a_name_for_each_image_is_needed() -> None:
    with pytest.raises(CalibrationError, match="8 images and 3 names"):
        calibrate_matrix(np.zeros((8, 8), np.float32), ["a", "b", "c"])


def test_images_are_calibrated_by_an_encoder(encoder: CCIPEncoder) -> None:
    names = [f"c{character}" for character in range(8) for _ in range(4)]
    shown = [portrait(at // 4, at % 4) for at in range(32)]
    made = calibrate(encoder, encoder.embed(shown), names, resamples=10)
    assert made.auc > 0.99
    assert 0.08 < made.threshold < 0.3


def test_clustering_settings_find_the_characters_again() -> None:
    differences, names = world(6, 5, noise=0.4)
    found = tuned(differences, names)
    assert set(found) == {"dbscan_2", "dbscan_free", "optics"}
    assert found["dbscan_2"]["min_samples"] == 2
    for name, entry in found.items():
        chosen = Clustering("optics" if name == "optics" else "dbscan", entry["eps"], int(entry["min_samples"]))
        assert adjusted_rand_score(names, labels(differences, chosen)) == pytest.approx(entry["score"], abs=0.05)
        assert entry["score"] > 0.9
