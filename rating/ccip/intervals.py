"""How sure a mean over characters is: characters, not images, are what is resampled (docs/ccip.md)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating import student

MANY = 20  # characters from which resampling them covers what it says
RESAMPLES = 2000
ROUNDING = 1e-9

Method = Literal["t", "bootstrap", "none"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval; `low` and `high` are None where a single character allows none."""

    value: float
    low: float | None
    high: float | None
    method: Method


def estimate(
    values: Floats, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Estimate, float]:
    """The mean of one value a character (C,), and the p-value of "it is 0".

    Student's t below 20 characters, with the sign test's p where all values are equal. From 20 on the percentile
    interval of `resamples` samples of characters, and p = 2 min(1 + those on either side of 0) / (1 + resamples)
    (Davison and Hinkley 1997, Bootstrap Methods, 4.11).
    The same seed and the same order of characters give the same numbers.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, None, None, "none"), 1.0
    if len(values) < MANY:
        return _student(values, mean, level)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return Estimate(mean, float(low), float(high), "bootstrap"), min(1.0, 2.0 * (1 + beyond) / (1 + resamples))


def _student(values: Floats, mean: float, level: float) -> tuple[Estimate, float]:
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    dof = len(values) - 1
    reach = student.quantile(0.5 + level / 2.0, dof) * error
    if not mean:
        p = 1.0
    elif error <= ROUNDING * abs(mean):
        # All characters say the same, and nothing says how sure each is: what is left is that all have one sign.
        p = 2.0 ** (1 - len(values))
    else:
        p = 2.0 * float(student.cdf(-abs(mean) / error, dof))
    return Estimate(mean, mean - reach, mean + reach, "t"), p


def holm(p: list[float]) -> list[float]:
    """The p-values of m tests corrected for all of them (Holm 1979), each at most 1, in their order."""
    order = sorted(range(len(p)), key=p.__getitem__)
    corrected, worst = [0.0] * len(p), 0.0
    for rank, at in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[at]))
        corrected[at] = worst
    return corrected
