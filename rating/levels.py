"""Full rankings, ties included, as levels of performance.

Every place of a ranking is a level. A seat alone at its place has its own performance as the level; seats that tie have
performances within reach of one common level. Each level is ahead of the next by more than the draw margin. The graph
is a tree (levels in a chain, tied seats hanging from theirs), so a sweep takes O(seats), and tied seats have equal
parts by construction. Herbrich et al. (2006) chain the tied seats themselves, where a seat in the middle comes out
surer than its equals. Without ties the two are the same.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
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
    factors, path, shared = _graph(tuple(ranks))
    own = [1.0 / (variance + noise) for variance in variances]
    # Counted from one of the means: the digits are spent on differences.
    pull = [weight * (mean - origin) for weight, mean in zip(own, means, strict=True)]
    precision, heard = own[:], [0.0] * len(factors)
    for start, seats in shared:
        # A shared level is first told of by its seats, each as if the tie were a normal distribution of that variance.
        told = [1.0 / (variances[seat] + noise + reach * reach / 3.0) for seat in seats]
        heard[start : start + len(told)] = told
        precision.append(sum(told))
        pull.append(sum(weight * (means[seat] - origin) for weight, seat in zip(told, seats, strict=True)))
    propagate(precision, pull, factors, heard, path, margin, reach)
    return [
        skill_after(mean, variance, noise, precision[at] - own[at], pull[at] - precision[at] * (mean - origin))
        for at, (mean, variance) in enumerate(zip(means, variances, strict=True))
    ]


@lru_cache(maxsize=1024)
def _graph(ranks: tuple[int, ...]) -> tuple[list[Factor], list[int], list[tuple[int, list[int]]]]:
    """The factors of a ranking, the path of a sweep along them, and its shared levels: (first factor, seats) of each.

    Seats are the first nodes, shared levels the further ones.
    """
    factors: list[Factor] = []
    shared: list[tuple[int, list[int]]] = []
    level = -1
    for _, tier in groupby(range(len(ranks)), key=ranks.__getitem__):
        seats, above = list(tier), level
        level = seats[0]
        if len(seats) > 1:
            level = len(ranks) + len(shared)
            shared.append((len(factors), seats))
            factors += [(seat, level, True) for seat in seats]
        if above >= 0:
            factors.append((above, level, False))
    forth = list(range(len(factors)))
    return factors, forth + [at for at in reversed(forth[1:-1]) if not factors[at][2]], shared
