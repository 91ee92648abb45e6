"""The ranking update of the `trueskill` package 0.4.5, number for number: its chain, its schedule, its stopping rule.

Performances stand in the order of their places, tied seats in the order given; a factor between each two neighbours
says that the better is ahead by more than the draw margin, or that the two are within it (Herbrich et al. 2006). The
middle one of three tied seats comes out surer than its equals, and ten sweeps need not converge: `rating.levels` is how
we rate rankings; this is for comparing with the package.
"""

import math
from collections.abc import Sequence

from rating.gaussian import draw_site, win_site
from rating.tree import Belief

MIN_DELTA = 1e-4
SWEEPS = 10


def rate_as_package(
    means: Sequence[float],
    variances: Sequence[float],
    ties: Sequence[bool],
    beta: float,
    margin: float,
    *,
    min_delta: float = MIN_DELTA,
) -> list[Belief]:
    """The skills after a ranking, best first; n >= 2 seats.

    `means` and `variances` (n) are the skills before, dynamics added; `ties` (n - 1) says which neighbours share a
    place; `beta` is the sd of a performance around its skill and `margin` >= 0 the draw margin, both in the unit of the
    means. Ends after ten sweeps, or once no factor's precision moves by `min_delta` squared nor its pull by
    `min_delta`.

    A sweep goes forward over all factors but the last, backward over all but the first, and again.
    The performance at place i hears from its own skill (`own`), from the factor before it (`left`) and from the one
    behind it (`right`); a factor hears each of its two performances without its own word.
    """
    n, noise, origin = len(means), beta * beta, means[0]
    # Counted from one of the means: the digits are spent on differences.
    own = [1.0 / (variance + noise) for variance in variances]
    own_pull = [precision * (mean - origin) for precision, mean in zip(own, means, strict=True)]
    left, left_pull, right, right_pull = [0.0] * n, [0.0] * n, [0.0] * n, [0.0] * n
    site, site_pull = [0.0] * (n - 1), [0.0] * (n - 1)
    path = [(at, True) for at in range(n - 2)] + [(at, False) for at in range(n - 2, 0, -1)] or [(0, True)]
    for _ in range(SWEEPS):
        moved = 0.0
        for at, forward in path:
            below = at + 1
            ahead = 1.0 / (own[at] + left[at])
            behind = 1.0 / (own[below] + right[below])
            mean = ahead * (own_pull[at] + left_pull[at])
            other = behind * (own_pull[below] + right_pull[below])
            spread = ahead + behind
            precision, pull = (draw_site if ties[at] else win_site)(mean - other, spread, margin)
            moved = max(moved, abs(pull - site_pull[at]), math.sqrt(abs(precision - site[at])))
            site[at], site_pull[at] = precision, pull
            if not forward:
                share = 1.0 + precision * behind
                right[at], right_pull[at] = precision / share, (precision * other + pull) / share
            if forward or below == n - 1:
                share = 1.0 + precision * ahead
                left[below], left_pull[below] = precision / share, (precision * mean - pull) / share
        if moved <= min_delta:
            break
    behind = 1.0 / (own[1] + right[1])
    share = 1.0 + site[0] * behind
    right[0] = site[0] / share
    right_pull[0] = (site[0] * behind * (own_pull[1] + right_pull[1]) + site_pull[0]) / share
    rated = []
    for at, (mean, variance) in enumerate(zip(means, variances, strict=True)):
        told = left[at] + right[at]
        share = 1.0 + told * (variance + noise)
        gain = variance * (left_pull[at] + right_pull[at] - told * (mean - origin)) / share
        rated.append((mean + gain, variance * (1.0 + told * noise) / share))
    return rated
