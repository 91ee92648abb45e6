"""Picking the best of several: the winner beats each loser, and nothing is said among the losers.

The factor graph is a star: one "the winner's performance is ahead" factor on each arm. Handing such a vote to a ranking
engine as ranks [0, 1, 1, 1] would instead claim that the losers drew. Expectation propagation (Minka 2001) on a star
only has messages to its centre: what a loser hears never comes back to it. docs/trueskill.md derives the formulas.
"""

import math
from collections.abc import Sequence

from rating.gaussian import FRACTION_FROM, PEAK, ROOT_HALF, win_moments
from rating.tree import Belief

# How far the last sweep may move the winner's performance, in its sd; the next would move it some 30 times less.
TOLERANCE = 1e-8
SWEEPS = 200


def rate_pick(means: Sequence[float], variances: Sequence[float], beta: float) -> list[Belief]:
    """The skills after the first seat was picked before all others, in the order given.

    `means` and `variances` (n >= 2) are the skills before; `beta` is the sd of a performance around its skill, in the
    unit of the means. Messages are passed until a sweep moves the winner's performance by no more than 1e-8 of its sd,
    which leaves some 3e-9. The losers' order has no influence: the best is heard first, which settles soonest.
    """
    exp, erfc, sqrt, twice_peak, root_half = math.exp, math.erfc, math.sqrt, 2.0 * PEAK, ROOT_HALF
    noise, origin, variance = beta * beta, means[0], variances[0]
    losers = sorted(range(1, len(means)), key=lambda at: (-means[at], variances[at]))
    # Of each arm: the loser's seat, mean and variance of its performance, what the centre hears from it.
    arms = [(at, means[at] - origin, variances[at] + noise, 0.0, 0.0) for at in losers]
    own = precision = 1.0 / (variance + noise)
    pull = 0.0
    after = [(0.0, 0.0)] * len(means)
    for _ in range(SWEEPS):
        before, before_pull, told, arms = precision, pull, arms, []
        for at, mean, behind, up, up_pull in told:
            precision -= up
            pull -= up_pull
            ahead = 1.0 / precision
            centre = ahead * pull
            spread = ahead + behind
            root = sqrt(spread)
            t = (centre - mean) / root
            if t >= FRACTION_FROM:
                # As in win_moments, which is called for the rest: here a call costs what it computes.
                v = twice_peak * exp(-0.5 * t * t) / erfc(-t * root_half)
                w = v * (v + t)
            else:
                v, w = win_moments(t)
            left = spread - w * ahead
            up = w / left
            up_pull = (w * centre + v * root) / left
            precision += up
            pull += up_pull
            arms.append((at, mean, behind, up, up_pull))
            after[at] = (v / root, w / spread)
        if abs(precision - before) <= TOLERANCE * before and abs(pull - before_pull) <= TOLERANCE * sqrt(before):
            break
    share = 1.0 + (precision - own) * (variance + noise)
    after[0] = (origin + variance * pull / share, variance * (1.0 + (precision - own) * noise) / share)
    for at in losers:
        variance = variances[at]
        step, shrink = after[at]
        after[at] = (means[at] - variance * step, variance * (1.0 - variance * shrink))
    return after
