"""What the figures measure with: Elo points, errors, agreement of orders."""

import math

import numpy as np

ELO_POINTS = 400.0 / math.log(10.0)  # one nat


def rmse(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error along the last axis, a shift common to all taken off first."""
    error = found - truth
    return float(np.sqrt(np.mean((error - error.mean(axis=-1, keepdims=True)) ** 2)))


def kendall(one: np.ndarray, two: np.ndarray) -> float:
    """Kendall's tau of two orders without ties."""
    return float(np.mean(np.sign(differences(one)) * np.sign(differences(two))))


def places(values: np.ndarray) -> np.ndarray:
    """(…, n) the place of each value, 1 for the largest."""
    return np.argsort(np.argsort(-values, axis=-1, kind="stable"), axis=-1) + 1


def pairs(matrix: np.ndarray) -> np.ndarray:
    """The entries above the diagonal, one for each pair."""
    return matrix[np.triu_indices(len(matrix), 1)]


def difference_sd(covariance: np.ndarray) -> np.ndarray:
    """(pairs,) the standard error of each paired difference."""
    variance = np.diag(covariance)
    return np.sqrt(pairs(variance[:, None] + variance - 2.0 * covariance))


def differences(values: np.ndarray) -> np.ndarray:
    """(pairs,) each value less each later one."""
    return pairs(np.subtract.outer(values, values))
