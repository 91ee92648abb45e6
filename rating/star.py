"""Picking the best of several: the winner beats each loser, and nothing is said among the losers.

The factor graph is a star: one "the winner's performance is ahead" factor on each arm. Handing such a vote to a ranking
engine as ranks [0, 1, 1, 1] would instead claim that the losers drew.
"""

from collections.abc import Sequence

from rating.tree import Belief, propagate, skill_after


def rate_pick(means: Sequence[float], variances: Sequence[float], beta: float, margin: float = 0.0) -> list[Belief]:
    """The skills after the first seat was picked before all others, in the order given.

    `means` and `variances` (n >= 2) are the skills before; `beta` is the sd of a performance around its skill and
    `margin` >= 0 by how much the winner is ahead at least, both in the unit of the means. The losers' order has no
    influence beyond 1e-9 of a skill's sd.
    """
    noise, origin, arms = beta * beta, means[0], len(means) - 1
    own = [1.0 / (variance + noise) for variance in variances]
    precision = own[:]
    pull = [weight * (mean - origin) for weight, mean in zip(own, means, strict=True)]
    factors = [(0, loser, False) for loser in range(1, arms + 1)]
    propagate(precision, pull, factors, [0.0] * arms, range(arms), margin, 0.0)
    return [
        skill_after(mean, variance, noise, precision[at] - own[at], pull[at] - precision[at] * (mean - origin))
        for at, (mean, variance) in enumerate(zip(means, variances, strict=True))
    ]
