"""Full rankings, ties included, as levels of performance.

Every place of a ranking is a level. A seat alone at its place has its own performance as the level; seats that tie have
performances within reach of one common level. Each level is ahead of the next by more than the draw margin. The graph
is a tree (levels in a chain, tied seats hanging from theirs), so a sweep takes O(seats), and tied seats have equal
parts by construction. Herbrich et al. (2006) chain the tied seats themselves, where a seat in the middle comes out
surer than its equals. Without ties the two are the same.
"""

import math
from collections.abc import Sequence
from itertools import groupby

from rating.tree import Belief, Factor, propagate, skill_after

# Two seats within reach r of one level differ by a triangle on +-2r, with variance 2 r^2 / 3; a draw of two by a box on
# +-margin, with variance margin^2 / 3. The ratio at which they agree.
REACH = math.sqrt(0.5)


def rate_ranking(
    means: Sequence[float], variances: Sequence[float], ranks: Sequence[int], beta: float, margin: float
) -> list[Belief]:
    """The skills after a full ranking of n >= 2 seats, in the order given, which is that of their ranks.

    `means` and `variances` (n) are the skills before, `ranks` (n) the places, ascending; `beta` is the sd of a
    performance around its skill and `margin` >= 0 the draw margin, both in the unit of the means.
    """
    noise, origin, reach = beta * beta, means[0], REACH * margin
    own = [1.0 / (variance + noise) for variance in variances]
    precision = own[:]
    # Counted from one of the means: the digits are spent on differences.
    pull = [weight * (mean - origin) for weight, mean in zip(own, means, strict=True)]
    factors: list[Factor] = []
    heard: list[float] = []
    level = -1
    for _, tier in groupby(range(len(means)), key=ranks.__getitem__):
        seats, above = list(tier), level
        level = seats[0]
        if len(seats) > 1:
            level = len(precision)
            first = [1.0 / (variances[seat] + noise + reach * reach / 3.0) for seat in seats]
            factors += [(seat, level, True) for seat in seats]
            heard += first
            precision.append(math.fsum(first))
            pull.append(math.fsum(weight * (means[seat] - origin) for weight, seat in zip(first, seats, strict=True)))
        if above >= 0:
            factors.append((above, level, False))
            heard.append(0.0)
    forth = list(range(len(factors)))
    back = [at for at in reversed(forth[1:-1]) if not factors[at][2]]
    propagate(precision, pull, factors, heard, forth + back, margin, reach)
    return [
        skill_after(mean, variance, noise, precision[at] - own[at], pull[at] - precision[at] * (mean - origin))
        for at, (mean, variance) in enumerate(zip(means, variances, strict=True))
    ]
