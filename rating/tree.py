"""Expectation propagation on a tree of comparisons (Minka 2001; Herbrich et al. 2006): what one vote says about skills.

Nodes are performances; a factor between two says that the first is ahead by more than the margin, or that they tie.
Messages and factors are written as (precision, precision times mean).
"""

import math
from collections.abc import Sequence

from rating.gaussian import FRACTION_FROM, PEAK, ROOT_HALF, draw_site, win_site

TOLERANCE = 1e-9
SWEEPS = 200

# (mean, variance) of a skill.
Belief = tuple[float, float]
# (first node, second node, whether they tie).
Factor = tuple[int, int, bool]


def propagate(
    precision: list[float],
    pull: list[float],
    factors: Sequence[Factor],
    heard: list[float],
    path: Sequence[int],
    margin: float,
    reach: float,
) -> None:
    """Pass messages along `path`, places in `factors`, again and again until no factor moves.

    `precision` and `pull` (nodes) are the beliefs about performances, with the first messages in them, and become those
    after the vote; `heard` (factors) is the precision of the first message of each factor to its second node, whose
    mean is then the first node's. A win is a difference > `margin`, a tie one within -+`reach`. Ends when no factor's
    precision and pull move by more than 1e-9 of what it says and of what it is told.
    """
    n, exp, erfc, sqrt, peak, root_half = len(factors), math.exp, math.erfc, math.sqrt, PEAK, ROOT_HALF
    site, said = [0.0] * n, [0.0] * n
    up, up_pull, down, down_pull = [0.0] * n, [0.0] * n, heard, [0.0] * n
    for at, (first, _, _) in enumerate(factors):
        down_pull[at] = down[at] * pull[first] / precision[first]
    for _ in range(SWEEPS):
        settled = True
        for at in path:
            first, second, tied = factors[at]
            of_first, of_second = precision[first] - up[at], precision[second] - down[at]
            pull_first, pull_second = pull[first] - up_pull[at], pull[second] - down_pull[at]
            ahead, behind = 1.0 / of_first, 1.0 / of_second
            mean, other, spread = ahead * pull_first, behind * pull_second, ahead + behind
            root = sqrt(spread)
            t = (mean - other - margin) / root
            if tied:
                new, new_pull = draw_site(mean - other, spread, reach)
            elif t >= FRACTION_FROM:
                # As in win_site, which is called for the rest: here a call costs what it computes.
                v = peak * exp(-0.5 * t * t) / (0.5 * erfc(-t * root_half))
                w = v * (v + t)
                new = w / ((1.0 - w) * spread)
                new_pull = (v + t * w) / ((1.0 - w) * root) + new * margin
            else:
                new, new_pull = win_site(mean - other, spread, margin)
            if settled:
                change, change_pull = abs(new - site[at]), abs(new_pull - said[at])
                settled = change * spread <= TOLERANCE * (1.0 + new * spread) and change_pull <= TOLERANCE * (
                    abs(new_pull) + 1.0 / root
                )
            site[at], said[at] = new, new_pull
            share = 1.0 + new * behind
            up[at] = message = new / share
            precision[first] = of_first + message
            up_pull[at] = message = (new * other + new_pull) / share
            pull[first] = pull_first + message
            share = 1.0 + new * ahead
            down[at] = message = new / share
            precision[second] = of_second + message
            down_pull[at] = message = (new * mean - new_pull) / share
            pull[second] = pull_second + message
        if settled:
            return


def skill_after(mean: float, variance: float, noise: float, told: float, pull: float) -> Belief:
    """A skill N(mean, variance) after a message about its performance, which scatters around it with variance `noise`.

    `told` is the message's precision and `pull` that times its mean, counted from the skill's mean.
    """
    share = 1.0 + told * (variance + noise)
    return mean + variance * pull / share, variance * (1.0 + told * noise) / share
