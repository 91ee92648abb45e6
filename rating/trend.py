"""Strength over the epochs of a run: gains on a first epoch, and which epoch is better than which, all at once.

Gains are compared many to one (Dunnett 1955), pairs with the largest studentised difference over all pairs (max-t:
Hothorn, Bretz and Westfall 2008), both under the full covariance and its degrees of freedom (docs/trend.md).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating.errors import RatingError
from rating.ranks import DRAWS, centred_draws, difference_sd, upper_quantile

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trend:
    """k epochs in their order, in the unit of the estimates.

    `gain` (k,) is each epoch less the first, `low` to `high` (k,) hold all gains at once; the first is 0 exactly.
    `difference` (k, k) is the row less the column, `least` to `most` (k, k) hold all pairs at once, and `p` (k, k) is
    the probability of a difference so large somewhere among the pairs when all epochs are equal; 1 on the diagonal.
    """

    gain: Floats
    low: Floats
    high: Floats
    difference: Floats
    least: Floats
    most: Floats
    p: Floats

    def verdict(self, later: int, earlier: int) -> str:
        """Whether one epoch is beyond doubt "better" or "worse" than another, or "undecided", among all pairs."""
        if self.least[later, earlier] > 0.0:
            return "better"
        return "worse" if self.most[later, earlier] < 0.0 else "undecided"


def trend(
    mean: Floats,
    covariance: Floats,
    *,
    dof: float = math.inf,
    level: float = 0.95,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Trend:
    """The trend of estimates (k,) in the order of the epochs; `covariance` (k, k) is theirs, in any gauge.

    Raises RatingError for fewer than two epochs or an estimate that is not finite.
    """
    if len(mean) < 2:
        raise RatingError("a trend takes two epochs with an estimate")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise RatingError("an epoch has no estimate; leave it out")
    difference, sds = mean[:, None] - mean, difference_sd(covariance)
    drawn = centred_draws(covariance, dof, rng, draws)
    to_first = _largest(drawn, sds, [(at, 0) for at in range(1, len(mean))])
    pairs = _largest(drawn, sds, [(one, other) for one in range(len(mean)) for other in range(one)])
    half = upper_quantile(to_first, level) * sds[:, 0]
    reach = upper_quantile(pairs, level) * sds
    return Trend(
        gain=difference[:, 0],
        low=difference[:, 0] - half,
        high=difference[:, 0] + half,
        difference=difference,
        least=difference - reach,
        most=difference + reach,
        p=_adjusted(difference, sds, pairs),
    )


def _largest(drawn: Floats, sds: Floats, pairs: list[tuple[int, int]]) -> Floats:
    """(draws,) the largest studentised difference over the pairs; pairs without uncertainty have no say."""
    largest = np.zeros(len(drawn))
    for one, other in pairs:
        if sds[one, other] > 0.0:
            np.maximum(largest, np.abs(drawn[:, one] - drawn[:, other]) / sds[one, other], out=largest)
    return largest


def _adjusted(difference: Floats, sds: Floats, largest: Floats) -> Floats:
    """(k, k) the share of draws at least as extreme, the observation counted among them."""
    observed = np.divide(np.abs(difference), sds, out=np.zeros_like(sds), where=sds > 0.0)
    ordered = np.sort(largest)
    beyond = len(ordered) - np.searchsorted(ordered, observed, side="left")
    return np.asarray((1.0 + beyond) / (1.0 + len(ordered)))
