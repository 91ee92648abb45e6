"""The normal distribution, and what knowing where a difference lies does to it (Herbrich et al. 2006, section 2).

A difference of performances X ~ N(t, 1) is won if X > 0 and drawn if |X| < e: the margin is taken off t, or is e. Two
forms of the same moments: (v, w), by which the mean grows and the variance falls, and (gap, left), the mean and the
variance of what remains, which keep their digits where v and w cancel.
"""

import math
from statistics import NormalDist

import numpy as np

ROOT_HALF = math.sqrt(0.5)
PEAK = 1.0 / math.sqrt(2.0 * math.pi)
# Below, erfc and exp lose too many digits of the variance that is left.
FRACTION_FROM = -5.0
# Above, the far end of a draw's interval holds so little that it is a small correction to a one-sided cut.
EDGE_FROM = 6.0
# Up to here Gauss-Legendre quadrature of a draw's interval is exact to rounding; wider ones hold enough probability
# that plain differences are.
NARROW = 1.3
# The narrowest draw there is: below, (e / t)^2 is beyond rounding, and a margin of zero stands for its limit.
LEAST_MARGIN = 1e-8
# Up to here six nodes do what fourteen do.
FLAT = 0.3


def _quadrature(nodes: int) -> list[tuple[float, float]]:
    """(node, weight) of the positive half of Gauss-Legendre quadrature over -1 to 1."""
    half = [pair for pair in zip(*np.polynomial.legendre.leggauss(nodes), strict=True) if pair[0] > 0]
    return [(float(node), float(weight)) for node, weight in half]


QUADRATURE, FLAT_QUADRATURE = _quadrature(14), _quadrature(6)
_STANDARD = NormalDist()


def cdf(x: float) -> float:
    """P(Z <= x) of the standard normal Z, accurate in the lower tail too."""
    return 0.5 * math.erfc(-x * ROOT_HALF)


def pdf(x: float) -> float:
    """Density of the standard normal at x."""
    return PEAK * math.exp(-0.5 * x * x)


def quantile(p: float) -> float:
    """The x with P(Z <= x) = p, 0 < p < 1."""
    return _STANDARD.inv_cdf(p)


def win_moments(t: float) -> tuple[float, float]:
    """(v, w) of a win: given X > 0, the mean of X ~ N(t, 1) is t + v and its variance 1 - w.

    v = pdf(t) / cdf(t) and w = v (v + t) in [0, 1], right to 1e-13 of themselves for every t.
    """
    if t >= FRACTION_FROM:
        v = pdf(t) / cdf(t)
        return v, v * (v + t)
    gap, left = won(t)
    return gap - t, 1.0 - left


def draw_moments(t: float, e: float) -> tuple[float, float]:
    """(v, w) of a draw: given |X| < e, the mean of X ~ N(t, 1) is t + v and its variance 1 - w. e >= 0.

    A margin e of 0 gives the limit v = -t, w = 1: the two were equal.
    """
    gap, left = drawn(t, e)
    return gap - t, 1.0 - left


def won(t: float) -> tuple[float, float]:
    """(gap, left): mean > 0 and variance > 0 of X ~ N(t, 1), given X > 0.

    Below -5 by Laplace's continued fraction of Mills' ratio, K(k) = -t + k / K(k + 1): gap = 1 / K(2), and
    left = 1 - gap (gap - t), which is (-t + 4 / K(3) - 3 / K(4)) / (K(2)^2 K(3)) without the cancellation.
    """
    if t >= FRACTION_FROM:
        v = PEAK * math.exp(-0.5 * t * t) / (0.5 * math.erfc(-t * ROOT_HALF))
        return t + v, 1.0 - v * (v + t)
    tail = -t
    for term in range(int(8.0 + 1200.0 / (t * t)), 3, -1):
        tail = term / tail - t
    third = 3.0 / tail - t
    second = 2.0 / third - t
    # Divided one by one: the product of the three would overflow for t beyond 1e100.
    return 1.0 / second, (4.0 / third - 3.0 / tail - t) / second / second / third


def drawn(t: float, e: float) -> tuple[float, float]:
    """(gap, left): mean and variance > 0 of X ~ N(t, 1), given |X| < e; an e below 1e-8 counts as that."""
    e = max(e, LEAST_MARGIN)
    far = abs(t)
    if far * e > 0.5 * EDGE_FROM and far > e:
        gap, left = _at_the_edge(far, e)
    elif e < NARROW:
        gap, left = _narrow(far, e)
    else:
        gap, left = _wide(far, e)
    return math.copysign(gap, t), left


def _at_the_edge(t: float, e: float) -> tuple[float, float]:
    """For t > e > 0: what X < e leaves, less what X < -e leaves of it; distances are counted from e downwards."""
    near, spread = won(e - t)
    far, far_spread = won(-e - t)
    # The share of the far end, from the ratio of the two Mills' ratios.
    share = math.exp(-2.0 * t * e) * (near + t - e) / (far + t + e)
    inside = (near - share * (2.0 * e + far)) / (1.0 - share)
    square = (spread + near * near - share * (far_spread + (2.0 * e + far) ** 2)) / (1.0 - share)
    return e - inside, square - inside * inside


def _narrow(t: float, e: float) -> tuple[float, float]:
    """By quadrature of exp(t x - x^2 / 2) over -e < x < e."""
    slope, bend = t * e, -0.5 * e * e
    mass = first = second = 0.0
    for node, weight in FLAT_QUADRATURE if slope < FLAT and e < FLAT else QUADRATURE:
        square = node * node
        up = weight * math.exp(bend * square + slope * node)
        down = weight * math.exp(bend * square - slope * node)
        mass += up + down
        first += (up - down) * node
        second += (up + down) * square
    mean = first / mass
    return e * mean, e * e * (second / mass - mean * mean)


def _wide(t: float, e: float) -> tuple[float, float]:
    mass = cdf(e - t) - cdf(-e - t)
    upper, lower = pdf(e - t), pdf(e + t)
    v = (lower - upper) / mass
    return t + v, 1.0 - v * v - ((e - t) * upper + (e + t) * lower) / mass


def win_site(mean: float, variance: float, margin: float) -> tuple[float, float]:
    """The Gaussian factor that stands for "X > margin" on X ~ N(mean, variance): (precision, precision times mean)."""
    root = math.sqrt(variance)
    t = (mean - margin) / root
    if t >= FRACTION_FROM:
        v = PEAK * math.exp(-0.5 * t * t) / (0.5 * math.erfc(-t * ROOT_HALF))
        w = v * (v + t)
        precision = w / ((1.0 - w) * variance)
        return precision, (v + t * w) / ((1.0 - w) * root) + precision * margin
    gap, left = won(t)
    precision = (1.0 - left) / (left * variance)
    # (v + t w) / left with both terms of the numerator positive: no digit is lost.
    return precision, (gap - t * left) / (left * root) + precision * margin


def draw_site(mean: float, variance: float, margin: float) -> tuple[float, float]:
    """As `win_site`, for "|X| < margin"."""
    root = math.sqrt(variance)
    t = mean / root
    gap, left = drawn(t, margin / root)
    return max(0.0, 1.0 - left) / (left * variance), (gap - t * left) / (left * root)
