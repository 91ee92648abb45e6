"""Ranks with their uncertainty: which contestants can be told apart, between which places each one lies, who is best.

All pairs are compared at once. The largest studentised difference over all pairs, max |d_ij| / s_ij with d drawn around
zero from the estimate's covariance, has a quantile c; a pair is separated where its own difference exceeds c s_ij. The
chance of even one false separation among all pairs is then at most 1 - level (max-t: Hothorn, Bretz and Westfall
2008, section 2; ranks from it: Mogstad, Romano, Shaikh and Wilhelm 2024, section 3).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating import student

DRAWS = 10_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankRanges:
    """(n,) each: the best and the worst rank (1 is the top) a contestant may have, all at once at the level asked for,
    and its tier (1 is the top). 0 in all three for one without an estimate.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    tier: NDArray[np.intp]


def rank_ranges(
    mean: Floats,
    covariance: Floats,
    *,
    dof: float = math.inf,
    level: float = 0.95,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> RankRanges:
    """Simultaneous rank ranges and tiers.

    `mean` (n,) may hold nan for contestants without an estimate; `covariance` (n, n) is that of the estimates, singular
    or not (a mean-zero gauge is), and `dof` its degrees of freedom.
    """
    return ranges_of(mean, separations(mean, covariance, dof=dof, level=level, rng=rng, draws=draws))


def ranges_of(mean: Floats, separated: NDArray[np.bool_]) -> RankRanges:
    """The rank ranges that separations (n, n) leave open."""
    rated = np.isfinite(mean)
    low = np.where(rated, 1 + separated.sum(axis=0), 0)
    high = np.where(rated, rated.sum() - separated.sum(axis=1), 0)
    return RankRanges(low, high, tiers(mean, separated))


def separations(
    mean: Floats,
    covariance: Floats,
    *,
    dof: float = math.inf,
    level: float = 0.95,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> NDArray[np.bool_]:
    """(n, n) whether the row is better than the column, all pairs at once at the level."""
    rated = np.flatnonzero(np.isfinite(mean))
    separated = np.zeros((len(mean), len(mean)), dtype=bool)
    if len(rated) > 1:
        own = covariance[np.ix_(rated, rated)]
        critical = upper_quantile(_largest_difference(centred_draws(own, dof, rng, draws), own), level)
        better = mean[rated][:, None] - mean[rated] > critical * difference_sd(own)
        separated[np.ix_(rated, rated)] = better & ~np.eye(len(rated), dtype=bool)
    return separated


def tiers(mean: Floats, separated: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n,) tiers from 1, the best: from the top down, a contestant that is separated from any member opens the next.

    No two members of a tier are separated; 0 for a contestant without an estimate.
    """
    tier = np.zeros(len(mean), dtype=np.intp)
    members: list[int] = []
    current = 1
    for at in sorted(np.flatnonzero(np.isfinite(mean)).tolist(), key=lambda at: -mean[at]):
        if separated[members, at].any():
            members, current = [], current + 1
        members.append(at)
        tier[at] = current
    return tier


def best_probability(
    mean: Floats,
    covariance: Floats,
    *,
    dof: float = math.inf,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Floats:
    """(n,) how often each contestant is the best when strengths are drawn around the estimates; sums to 1."""
    rated = np.flatnonzero(np.isfinite(mean))
    probability = np.zeros(len(mean))
    if len(rated):
        drawn = mean[rated] + centred_draws(covariance[np.ix_(rated, rated)], dof, rng, draws)
        probability[rated] = np.bincount(drawn.argmax(axis=1), minlength=len(rated)) / draws
    return probability


def superiority(mean: Floats, covariance: Floats, *, dof: float = math.inf) -> Floats:
    """(n, n) the probability that the row is better than the column, each pair on its own; nan on the diagonal."""
    differences, sds = mean[:, None] - mean, difference_sd(covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(np.eye(len(mean), dtype=bool), np.nan, differences / sds)
    known = ~np.isnan(ratios)
    probability = np.full(ratios.shape, np.nan)
    probability[known] = student.cdf(ratios[known], dof)
    return probability


def difference_sd(covariance: Floats) -> Floats:
    """(n, n) the standard errors of all paired differences."""
    variances = np.diag(covariance)
    return np.sqrt(np.maximum(variances[:, None] + variances - 2.0 * covariance, 0.0))


def centred_draws(covariance: Floats, dof: float, rng: np.random.Generator, draws: int) -> Floats:
    """(draws, n) from a multivariate t (normal where dof is inf) around zero; the covariance may be singular."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    drawn = rng.standard_normal((draws, len(covariance))) @ (vectors * np.sqrt(np.maximum(eigenvalues, 0.0))).T
    if math.isinf(dof):
        return drawn
    return drawn / np.sqrt(rng.chisquare(dof, (draws, 1)) / dof)


def upper_quantile(drawn: Floats, level: float) -> float:
    """The order statistic that a further draw exceeds with probability <= 1 - level, whatever the distribution."""
    place = min(math.ceil((len(drawn) + 1) * level), len(drawn)) - 1
    return float(np.partition(drawn, place)[place])


def _largest_difference(drawn: Floats, covariance: Floats) -> Floats:
    """(draws,) the largest studentised difference over all pairs; pairs without any uncertainty have no say."""
    sds = difference_sd(covariance)
    inverse = np.divide(1.0, sds, out=np.zeros_like(sds), where=sds > 1e-12 * sds.max(initial=0.0))
    columns = np.ascontiguousarray(drawn.T)
    largest = np.zeros(len(drawn))
    for one in range(len(columns) - 1):
        studentised = np.abs(columns[one + 1 :] - columns[one]) * inverse[one, one + 1 :, None]
        np.maximum(largest, studentised.max(axis=0), out=largest)
    return largest
