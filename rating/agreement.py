"""Do people and an automatic metric put the same contestants first? (docs/agreement.md)

Pairs of contestants are compared by sign. All statistics are sums over pairs, so that a resample of contestants, where
contestant i was drawn w_i times, is the same sum with weight w_i w_j: thousands of them are a few matrix products.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating.errors import RatingError

Floats = NDArray[np.float64]

RESAMPLES = 2000
FEWEST = 8  # contestants from which the bootstrap covers what it says; below, no interval is claimed
MOST_REFUSED = 0.5


@dataclass(frozen=True)
class Measure:
    """A statistic with its interval; `low` and `high` are None with fewer than 8 contestants."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How n contestants compare by two measures.

    Of `pairs` that both put in an order, `agreeing` have the same one; `tied` more are equal by either. `share` is
    agreeing / pairs in [0, 1], `kendall` is tau-b and `spearman` rho, both in [-1, 1]. Each is None where it is not
    defined: no such pair, or a measure that is the same for all.
    """

    contestants: int
    pairs: int
    agreeing: int
    tied: int
    share: Measure | None
    kendall: Measure | None
    spearman: Measure | None


@dataclass(frozen=True)
class Disagreement:
    """A pair that people and metric order differently: people prefer `better` over `worse`.

    `people` > 0 and `metric` < 0 are the differences, better less worse, in sds over the contestants. `strength` is the
    smaller of the two sizes: both measures differ by at least so much. `sure` says whether the people's difference is
    beyond its error.
    """

    better: int
    worse: int
    people: float
    metric: float
    strength: float
    sure: bool


def agreement(
    people: Floats,
    metric: Floats,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    rng: np.random.Generator,
) -> Agreement:
    """Compare two measures (n,) of the same contestants; more is better in both.

    Kendall's tau-b (Kendall 1945) and Spearman's rho with mid-ranks. The intervals are percentiles over resamples of
    contestants: another set of checkpoints is what the agreement should carry over to.
    Raises RatingError for values that are not finite.
    """
    _check(people, metric)
    n = len(people)
    one, other = _signs(people), _signs(metric)
    both = one * other
    sums = _Sums(both, np.abs(one), np.abs(other), _mid_rank_weights(people), _mid_rank_weights(metric))
    drawn = rng.multinomial(n, np.full(n, 1.0 / n), resamples).astype(np.float64) if n >= FEWEST else None
    observed = np.ones((1, n))
    return Agreement(
        contestants=n,
        pairs=int(np.abs(both).sum()) // 2,
        agreeing=int((both > 0).sum()) // 2,
        tied=n * (n - 1) // 2 - int(np.abs(both).sum()) // 2,
        share=_measure(sums.share, observed, drawn, level),
        kendall=_measure(sums.kendall, observed, drawn, level),
        spearman=_measure(sums.spearman, observed, drawn, level),
    )


def disagreements(people: Floats, metric: Floats, people_error: Floats) -> list[Disagreement]:
    """Every pair that the two measures (n,) order differently; those of which people are sure first, then by strength.

    `people_error` (n, n) is half the interval of each paired difference of `people`, nan where it is not known.
    Raises RatingError for values that are not finite.
    """
    _check(people, metric)
    scale = _sd(people), _sd(metric)
    found = []
    for better, worse in np.argwhere(_signs(people) * _signs(metric) < 0).tolist():
        gap = people[better] - people[worse]
        if gap > 0.0:
            standard = gap / scale[0], (metric[better] - metric[worse]) / scale[1]
            sure = bool(gap > people_error[better, worse])
            found.append(Disagreement(better, worse, *standard, min(standard[0], -standard[1]), sure))
    return sorted(found, key=lambda pair: (not pair.sure, -pair.strength, pair.better, pair.worse))


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums over pairs (n, n), for weights (R, n): how often each contestant counts in each of R resamples."""

    both: Floats
    one: Floats
    other: Floats
    below_one: Floats
    below_other: Floats

    def share(self, weights: Floats) -> Floats:
        """(R,) of the ordered pairs, how many agree."""
        return _ratio(_form(self.both > 0, weights), _form(self.both != 0, weights))

    def kendall(self, weights: Floats) -> Floats:
        """(R,) concordant less discordant pairs, over the geometric mean of the pairs that each measure orders."""
        product = _form(self.one, weights) * _form(self.other, weights)
        return _ratio(_form(self.both, weights), np.sqrt(product))

    def spearman(self, weights: Floats) -> Floats:
        """(R,) the correlation of mid-ranks."""
        first, second = (_centred(weights @ below, weights) for below in (self.below_one, self.below_other))
        spread = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
        return _ratio((weights * first * second).sum(axis=1), np.sqrt(spread))


def _measure(
    statistic: Callable[[Floats], Floats], observed: Floats, drawn: Floats | None, level: float
) -> Measure | None:
    value = float(statistic(observed)[0])
    if math.isnan(value):
        return None
    if drawn is None:
        return Measure(value, None, None)
    values = statistic(drawn)
    values = values[np.isfinite(values)]
    if len(values) < MOST_REFUSED * len(drawn):
        return Measure(value, None, None)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return Measure(value, float(low), float(high))


def _check(people: Floats, metric: Floats) -> None:
    if people.shape != metric.shape or people.ndim != 1:
        raise RatingError(f"one number of each measure for every contestant, not {people.shape} and {metric.shape}")
    if not (np.isfinite(people).all() and np.isfinite(metric).all()):
        raise RatingError("a measure is not finite; leave out the contestants that lack one")


def _signs(values: Floats) -> Floats:
    """(n, n) 1 where the row is above the column, -1 below, 0 for equals."""
    return np.sign(values[:, None] - values)


def _mid_rank_weights(values: Floats) -> Floats:
    """(n, n) what one more of the row adds to the mid-rank of the column."""
    return np.asarray((_signs(values) < 0) + 0.5 * (_signs(values) == 0))


def _form(matrix: NDArray[np.bool_] | Floats, weights: Floats) -> Floats:
    """(R,) the quadratic form of each row of weights."""
    return np.asarray(((weights @ matrix) * weights).sum(axis=1), dtype=np.float64)


def _centred(values: Floats, weights: Floats) -> Floats:
    return np.asarray(values - (weights * values).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0.0)


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) or 1.0 if len(values) > 1 else 1.0
