"""The normal distribution, and what knowing a difference to be positive does to it."""

import math
from dataclasses import dataclass

ROOT_2 = math.sqrt(2.0)
LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
FRACTION_FROM = -8.0
FRACTION_TERMS = 60


@dataclass(frozen=True)
class Normal:
    """A normal distribution by its mean and its variance > 0."""

    mean: float
    variance: float


def cdf(x: float) -> float:
    """P(Z <= x) of the standard normal Z, accurate in the lower tail too."""
    return 0.5 * math.erfc(-x / ROOT_2)


def pdf(x: float) -> float:
    """Density of the standard normal at x."""
    return math.exp(-0.5 * x * x - LOG_ROOT_2PI)


def win_moments(t: float) -> tuple[float, float]:
    """(v, w) of TrueSkill (Herbrich et al. 2006): how Z ~ N(t, 1) changes once it is known to be positive.

    The mean becomes t + v, the variance 1 - w, with v = pdf(t) / cdf(t) and w = v (v + t) in [0, 1]. Below -8, where
    v + t cancels, it comes from Laplace's continued fraction of Mills' ratio, 1 / (-t + 2 / (-t + 3 / (-t + ...))).
    """
    if t >= FRACTION_FROM:
        v = pdf(t) / cdf(t)
        return v, v * (v + t)
    tail = -t
    for term in range(FRACTION_TERMS, 1, -1):
        tail = -t + term / tail
    return 1.0 / tail - t, (1.0 / tail - t) / tail
