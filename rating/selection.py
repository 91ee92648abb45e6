"""The best of several epochs against a reference, with the price of having chosen it (docs/comparison.md)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.comparison import ELO, always_critical, place_of
from rating.covariance import ClusteredCovariance
from rating.errors import RatingError
from rating.joint import JointFit
from rating.ranks import DRAWS, centred_draws, upper_quantile

Floats = NDArray[np.float64]

SPARED = 0.1  # share of the error level spent on the box that keeps the conditional interval short
HALVINGS = 60
ALIKE = 1e-9


@dataclass(frozen=True, eq=False)
class BestOf:
    """m candidates less the reference, in nat.

    `difference`, `se` (m,); `low`, `high` (m,) hold all m differences at once, for one look; `at_least` (m,) are
    one-sided lower bounds of all at once. `always_low`, `always_high` (m,) hold all of them at all times, so that one
    may look after every vote and stop at the first candidate that is decided. `chosen` is the place of the largest
    difference among the candidates. `estimate` is its difference without the luck that made it the largest (as often
    too high as too low), within `estimate_low` and `estimate_high`. All at the level asked for.
    """

    candidates: tuple[str, ...]
    reference: str
    difference: Floats
    se: Floats
    low: Floats
    high: Floats
    at_least: Floats
    always_low: Floats
    always_high: Floats
    chosen: int
    estimate: float
    estimate_low: float
    estimate_high: float


def best_of(
    fit: JointFit,
    covariance: ClusteredCovariance,
    candidates: Sequence[str],
    reference: str,
    *,
    level: float = 0.95,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> BestOf:
    """Compare candidates with a reference, many to one (Dunnett 1955), and correct the best one for being chosen.

    The correction is the hybrid of Andrews, Kitagawa and McCloskey (2024, section 4): the distribution of the largest
    difference, given that it is the largest and lies in a box that holds all differences with probability
    1 - (1 - level) / 10. The bounds at all times are those of rating.comparison with each candidate's share of the
    error (Bonferroni).
    Raises UnknownContestantError for a name without an estimate, RatingError for no candidate or a name given twice.
    """
    places = [place_of(fit, name) for name in (*candidates, reference)]
    if len(places) < 2 or len(set(places)) < len(places):
        raise RatingError("name at least one candidate, each once, and a reference that is not among them")
    own, other = np.array(places[:-1]), places[-1]
    difference = fit.estimate[own] - fit.estimate[other]
    matrix = covariance.matrix[np.ix_(own, own)] + covariance.matrix[other, other]
    matrix = matrix - covariance.matrix[own, other][:, None] - covariance.matrix[own, other]
    se = np.sqrt(np.diag(matrix))
    studentised = centred_draws(matrix, covariance.dof, rng, draws) / se
    both_sides = np.abs(studentised).max(axis=1)
    error = 1.0 - level
    half, one_sided = upper_quantile(both_sides, level) * se, upper_quantile(studentised.max(axis=1), level) * se
    always = np.array([always_critical(one, 1.0 - error / len(own), covariance.dof) for one in se.tolist()]) * se
    chosen = int(np.argmax(difference))
    estimate, low, high = _without_luck(
        difference, matrix, chosen, upper_quantile(both_sides, 1.0 - SPARED * error), covariance.dof, error
    )
    return BestOf(
        candidates=tuple(candidates),
        reference=reference,
        difference=difference,
        se=se,
        low=difference - half,
        high=difference + half,
        at_least=difference - one_sided,
        always_low=difference - always,
        always_high=difference + always,
        chosen=chosen,
        estimate=estimate,
        estimate_low=low,
        estimate_high=high,
    )


def elo_rows(found: BestOf) -> list[Mapping[str, object]]:
    """A row for each candidate, the best first, in Elo points; the chosen one has its corrected difference besides."""
    return [
        {
            "contestant": found.candidates[at],
            "reference": found.reference,
            "difference": ELO * float(found.difference[at]),
            "low": ELO * float(found.low[at]),
            "high": ELO * float(found.high[at]),
            "at_least": ELO * float(found.at_least[at]),
            "always_low": ELO * float(found.always_low[at]),
            "always_high": ELO * float(found.always_high[at]),
            "corrected": ELO * found.estimate if at == found.chosen else None,
            "corrected_low": ELO * found.estimate_low if at == found.chosen else None,
            "corrected_high": ELO * found.estimate_high if at == found.chosen else None,
        }
        for at in np.argsort(-found.difference).tolist()
    ]


def _without_luck(
    difference: Floats, covariance: Floats, chosen: int, box: float, dof: float, error: float
) -> tuple[float, float, float]:
    """The median-unbiased estimate and the interval of the chosen difference.

    Few degrees of freedom widen the normal law by the ratio of the quantiles, which is wide for its middle.
    """
    tail = (error - SPARED * error) / (1.0 - SPARED * error) / 2.0
    wider = student.quantile(1.0 - tail, dof) / NormalDist().inv_cdf(1.0 - tail)
    sd = wider * math.sqrt(covariance[chosen, chosen])
    least, most = _range_when_chosen(difference, covariance, chosen)
    observed = float(difference[chosen])

    def below(truth: float) -> float:
        """The probability of less than observed, given the choice and the box."""
        low, high = max((least - truth) / sd, -box), min((most - truth) / sd, box)
        return _between(low, (observed - truth) / sd) / max(_between(low, high), math.ulp(0.0))

    inside = observed - box * sd, observed + box * sd
    return _solved(below, 0.5, *inside), _solved(below, 1.0 - tail, *inside), _solved(below, tail, *inside)


def _range_when_chosen(difference: Floats, covariance: Floats, chosen: int) -> tuple[float, float]:
    """Between which values the chosen difference could lie and still be the largest, all that is independent of it
    held fixed (the polyhedral lemma of Lee, Sun, Sun and Taylor 2016)."""
    slope = covariance[chosen] / covariance[chosen, chosen]
    rest = difference - slope * difference[chosen]
    rises = 1.0 - slope
    lower = [rest[at] / rises[at] for at in np.flatnonzero(rises > ALIKE)]
    upper = [rest[at] / rises[at] for at in np.flatnonzero(rises < -ALIKE)]
    return max(lower, default=-math.inf), min(upper, default=math.inf)


def _between(low: float, high: float) -> float:
    """The standard normal probability of an interval, with its digits also in the upper tail."""
    if low > 0.0:
        low, high = -high, -low
    return NormalDist().cdf(high) - NormalDist().cdf(low)


def _solved(decreasing: Callable[[float], float], target: float, low: float, high: float) -> float:
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if decreasing(middle) > target else (low, middle)
    return (low + high) / 2.0
