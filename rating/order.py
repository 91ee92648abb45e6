"""How much a sequential rating depends on the order of the votes (docs/elo.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rating.system import RatingSystem
from rating.votes import Votes

PERMUTATIONS = 100
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OrderStudy:
    """What random orders of the same votes make of each of n contestants, those with counted votes, by name.

    `mean` and `sd` (n,) are of its value, `low` and `high` (n,) bound the middle 95 % of its ranks (1 = best, equal
    values share the better rank), `first` (n,) is the share of the orders that put it first. `kendall`, in [-1, 1], is
    how well two orders agree on average: concordant less discordant pairs of contestants, as a share of all pairs; nan
    for less than two contestants.
    """

    contestants: tuple[str, ...]
    permutations: int
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats
    first: Floats
    kendall: float


def order_study(
    system: RatingSystem,
    votes: Votes,
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
    progress: Callable[[int], None] | None = None,
) -> OrderStudy:
    """Rate the counted votes in `permutations` >= 2 random orders. `progress` is called with the orders done."""
    counted = replace(votes.take(votes.counted), ids=(), extra={})
    rows, contestants = [], tuple[str, ...]()
    for done in range(permutations):
        shuffled = counted.take(rng.permutation(len(counted)))
        standings = system.standings(system.fold(system.start(), shuffled))
        contestants = tuple(sorted(standings))
        rows.append([standings[contestant].value for contestant in contestants])
        if progress:
            progress(done + 1)
    values = np.array(rows).reshape(permutations, len(contestants))
    ranks = _ranks(values)
    return OrderStudy(
        contestants=contestants,
        permutations=permutations,
        mean=values.mean(axis=0),
        sd=values.std(axis=0, ddof=1),
        low=np.quantile(ranks, 0.025, axis=0, method="inverted_cdf"),
        high=np.quantile(ranks, 0.975, axis=0, method="inverted_cdf"),
        first=(ranks == 1).mean(axis=0),
        kendall=_agreement(values),
    )


def order_sd(
    system: RatingSystem, votes: Votes, *, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> dict[str, float]:
    """For each contestant, the sd of its value over `permutations` >= 2 random orders of the same votes."""
    study = order_study(system, votes, rng=rng, permutations=permutations)
    return dict(zip(study.contestants, study.sd.tolist(), strict=True))


def milestone(votes: int) -> int:
    """The last vote count <= `votes` at which the check is made: all but the five leading bits cleared.

    Every vote up to 32, then about every thirtieth part: whoever folds in other portions finds the same points.
    """
    low_bits = max(0, votes.bit_length() - 5)
    return votes >> low_bits << low_bits


def _ranks(values: Floats) -> Floats:
    """(R, n) of the values (R, n): 1 + how many are higher."""
    ranks = np.ones_like(values)
    for one in range(values.shape[1]):
        ranks += values < values[:, one, None]
    return ranks


def _agreement(values: Floats) -> float:
    """The mean Kendall correlation of two of the R orders.

    With s_r = 1, 0 or -1 for how order r places a pair, the sum of s_r s_q over r != q is (sum s)^2 - sum s^2.
    """
    orders, n = values.shape
    total = 0.0
    for one in range(n):
        signs = np.sign(values[:, one, None] - values[:, one + 1 :])
        total += float((signs.sum(axis=0) ** 2 - np.abs(signs).sum(axis=0)).sum())
    pairs = n * (n - 1) / 2
    return total / (pairs * orders * (orders - 1)) if pairs else float("nan")
