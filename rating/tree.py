"""Expectation propagation on a tree of comparisons (Minka 2001; Herbrich et al. 2006): what one vote says about skills.

Nodes are performances; a factor between two says that the first is ahead by more than the margin, or that they tie.
Messages and factors are written as (precision, precision times mean).
"""

import math
from collections.abc import Sequence

from rating.gaussian import draw_site, win_site

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
    n = len(factors)
    site, said = [0.0] * n, [0.0] * n
    up, up_pull, down, down_pull = [0.0] * n, [0.0] * n, heard, [0.0] * n
    for at, (first, _, _) in enumerate(factors):
        down_pull[at] = down[at] * pull[first] / precision[first]
    for _ in range(SWEEPS):
        moved = 0.0
        for at in path:
            first, second, tied = factors[at]
            ahead = 1.0 / (precision[first] - up[at])
            behind = 1.0 / (precision[second] - down[at])
            mean = ahead * (pull[first] - up_pull[at])
            other = behind * (pull[second] - down_pull[at])
            spread = ahead + behind
            if tied:
                new, new_pull = draw_site(mean - other, spread, reach)
            else:
                new, new_pull = win_site(mean - other, spread, margin)
            moved = max(
                moved,
                abs(new - site[at]) * spread / (1.0 + new * spread),
                abs(new_pull - said[at]) / (abs(new_pull) + 1.0 / math.sqrt(spread)),
            )
            site[at], said[at] = new, new_pull
            share = 1.0 + new * behind
            message, message_pull = new / share, (new * other + new_pull) / share
            precision[first] += message - up[at]
            pull[first] += message_pull - up_pull[at]
            up[at], up_pull[at] = message, message_pull
            share = 1.0 + new * ahead
            message, message_pull = new / share, (new * mean - new_pull) / share
            precision[second] += message - down[at]
            pull[second] += message_pull - down_pull[at]
            down[at], down_pull[at] = message, message_pull
        if moved <= TOLERANCE:
            return


def skill_after(mean: float, variance: float, noise: float, told: float, pull: float) -> Belief:
    """A skill N(mean, variance) after a message about its performance, which scatters around it with variance `noise`.

    `told` is the message's precision and `pull` that times its mean, counted from the skill's mean.
    """
    share = 1.0 + told * (variance + noise)
    return mean + variance * pull / share, variance * (1.0 + told * noise) / share
