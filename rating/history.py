"""Skill over time: Bradley-Terry and Plackett-Luce strengths that walk at random from one slice of time to the next.

The model is that of Glickman (1993) and of Coulom's whole-history rating (2008, section 2), fitted for all contestants
and slices at once: Newton steps on the log posterior, each an elimination along the block-tridiagonal system of the
slices. See docs/history.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating.errors import SliceError
from rating.evidence import PRIOR_SD, check_prior, log_normal, maximise, require_comparable
from rating.votes import PICK, Votes

DAY = 86400.0
# The drift over all slices together, in nat, before the votes are seen: median and sd of its logarithm.
DRIFT_MEDIAN, DRIFT_SPREAD = 0.3, 1.5
NEWTON_LIMIT = 100
# Strength of an empty seat: finite, so that nothing times it is nothing.
NO_STRENGTH = -1e300

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """Posterior strengths of n contestants in T slices, in nat with mean 0 over those that took part (others nan).

    `edges` (T + 1,) and `times` (T,), the middles, are in seconds since 1970. `sds` (T, n) are of the strength against
    the mean of all. `gamma` is the sd of a strength's walk over one day, in nat; `sd` that of a strength at first.
    `log_evidence` is Laplace's: comparable between values of gamma and sd on the same votes and slices.
    """

    contestants: tuple[str, ...]
    took_part: NDArray[np.bool_]
    edges: Array
    times: Array
    means: Array
    sds: Array
    gamma: float
    sd: float
    log_evidence: float
    iterations: int


@dataclass(frozen=True, eq=False)
class Choices:
    """C kinds of choice among up to S members, each made `counts` times in the same slice.

    `slices` (C,); `members` (C, S) codes, n for none; `shares` (C, S): how much of the choice fell on each member, and
    `totals` (C,) their sum.
    """

    slices: NDArray[np.int64]
    members: NDArray[np.int64]
    shares: Array
    totals: Array
    n: int
    length: int  # T


@dataclass(frozen=True, eq=False)
class Eliminated:
    """The block-tridiagonal system after elimination from the first slice on; see docs/history.md for F and G."""

    F: Array  # (T, n, n) information on a slice from the prior and all slices up to it
    G: Array  # (T - 1, n, n) (1 + v F)^-1
    walks: Array  # (T - 1,) v, the variance of the walk to the next slice


def fit_history(
    votes: Votes,
    *,
    slices: int = 50,
    edges: Sequence[float] | Array | None = None,
    gamma: float | None = None,
    sd: float = PRIOR_SD,
) -> History:
    """The strengths over time, in `slices` equal slices of the votes' times, or in those between `edges` (seconds).

    gamma, in nat for one day, is chosen by the evidence unless given; 0 holds the strengths still. A tie is half a win
    for each. Raises StateError for votes that determine nothing (none, all draws, groups that never met; separated ones
    are rated by the prior), SliceError for slices that do not hold the votes' times, PriorError for a bad sd or gamma.
    """
    check_prior(sd=sd, gamma=gamma)
    require_comparable(votes)
    votes = votes.take(votes.counted)
    borders = _borders(votes.times, slices, edges)
    choices, took_part = _choices(votes, borders)
    times = (borders[:-1] + borders[1:]) / 2
    days = np.diff(times) / DAY
    if gamma is None:
        gamma = _likely_gamma(choices, days, sd)
    walks = gamma**2 * days
    theta, iterations = _mode(choices, walks, sd)
    _, _, H = _derivatives(choices, theta)
    means = np.full((len(times), len(took_part)), math.nan)
    sds = means.copy()
    means[:, took_part] = theta
    sds[:, took_part] = np.sqrt(_variances(_eliminated(H, walks, sd), sd))
    evidence = _log_evidence(choices, theta, walks, sd)
    return History(votes.contestants, took_part, borders, times, means, sds, gamma, sd, evidence, iterations)


def _borders(times: Array, slices: int, edges: Sequence[float] | Array | None) -> Array:
    """(T + 1,) ascending, around all times. Votes of one moment make one slice."""
    if not np.isfinite(times).all():
        raise SliceError("A vote has no finite time; a history needs one for every vote.")
    first, last = float(times.min()), float(times.max())
    if edges is None:
        if slices < 1:
            raise SliceError(f"{slices} slices: at least 1 is needed")
        return np.linspace(first, last, slices + 1) if last > first else np.array([first, last])
    borders = np.asarray(edges, dtype=np.float64)
    if len(borders) < 2 or not (np.diff(borders) > 0).all():
        raise SliceError("Edges of slices must ascend, and be two at least.")
    if first < borders[0] or last > borders[-1]:
        raise SliceError(f"Votes from {first} to {last} s lie outside the edges {borders[0]} to {borders[-1]} s.")
    return borders


def _choices(votes: Votes, borders: Array) -> tuple[Choices, NDArray[np.bool_]]:
    """The votes as counted choices, and (n,) who took part; members are numbered among those.

    A ranking is a choice of the best, then of the best of the rest, and so on (Plackett-Luce). Seats that tie share
    the choices that placed them equally: a draw is half a win for each, and ties of several are Breslow's (1974).
    """
    took_part = np.bincount(votes.seats[votes.seats >= 0], minlength=len(votes.contestants)) > 0
    n, length = int(took_part.sum()), len(borders) - 1
    code = np.append(np.cumsum(took_part) - 1, n).astype(np.int32)  # an empty seat, -1, reads the last entry
    seats = code[votes.seats]
    at = np.searchsorted(borders[1:-1], votes.times, side="right")
    rows = []
    for rank in range(max(votes.seats.shape[1] - 1, 1)):
        tied = votes.ranks == rank
        left = votes.ranks >= rank
        deciding = tied.any(axis=1) & (left.sum(axis=1) > 1) & ((rank == 0) | (votes.kinds != PICK))
        # Twice the code, plus one where the seat is chosen: sorted, so that seats have no order.
        coded = np.where(left[deciding], 2 * seats[deciding] + tied[deciding], 2 * n)
        rows.append(np.column_stack([at[deciding], np.sort(coded, axis=1)]))
    kinds, counts = _counted(np.concatenate(rows), 2 * n + 1)
    members, chosen = kinds[:, 1:] // 2, kinds[:, 1:] % 2 == 1
    ties = chosen.sum(axis=1)
    last = ties == (members < n).sum(axis=1)  # nobody is left below: the last of them is placed without a choice
    totals = counts * (ties - last).astype(np.float64)
    shares = np.where(chosen, (totals / ties)[:, None], 0.0)
    return Choices(kinds[:, 0], members, shares, totals, n, length), took_part


def _counted(rows: NDArray[np.int64], base: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct rows in ascending order and how often each occurs; entries after the first are less than `base`."""
    size = (int(rows[:, 0].max()) + 1) * base ** (rows.shape[1] - 1)
    if size >= 2**62:
        distinct, times = np.unique(rows, axis=0, return_counts=True)
        return distinct, times
    places = base ** np.arange(rows.shape[1] - 1, -1, -1, dtype=np.int64)
    keys = rows @ places
    if size <= 4 * len(rows) + 1_000_000:  # counting beats sorting
        counts = np.bincount(keys, minlength=size)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(keys, return_counts=True)
    columns = [found // places[0], *(found // place % base for place in places[1:])]
    return np.column_stack(columns), counts


def _likely_gamma(choices: Choices, days: Array, sd: float) -> float:
    """gamma by the evidence and a weak log-normal opinion on the drift over all slices together."""
    span = float(days.sum())
    if span == 0:
        return 0.0
    start, _ = _mode(choices, DRIFT_MEDIAN**2 * days / span, sd)

    def worth(log_drift: Array) -> float:
        drift = math.exp(log_drift[0])
        walks = drift**2 * days / span
        theta, _ = _mode(choices, walks, sd, start)
        return _log_evidence(choices, theta, walks, sd) + log_normal(drift, DRIFT_MEDIAN, DRIFT_SPREAD)

    best = maximise(worth, np.array([math.log(DRIFT_MEDIAN)]), step=1.0, tolerance=0.05, limit=30)
    return math.exp(best[0]) / math.sqrt(span)


def _mode(choices: Choices, walks: Array, sd: float, start: Array | None = None) -> tuple[Array, int]:
    """(T, n) the most probable strengths, and the Newton steps it took. Their mean is 0 in every slice."""
    # Without a walk the strengths are to be the same in all slices, and zeros are.
    theta = np.zeros((choices.length, choices.n)) if start is None or not walks.all() else start
    value, g, H = _posterior(choices, theta, walks, sd)
    moved, iterations = math.inf, 0
    while moved > 1e-9 and iterations < NEWTON_LIMIT:
        iterations += 1
        step = _solved(_eliminated(H, walks, sd), g + np.einsum("tij,tj->ti", H, theta)) - theta
        reached, g, H = _posterior(choices, theta + step, walks, sd)
        # A step too far loses visibly; rounding may hide the last steps' gain.
        while reached < value - 1e-9 * abs(value) and np.abs(step).max() > 1e-9:
            step /= 2
            reached, g, H = _posterior(choices, theta + step, walks, sd)
        theta, value, moved = theta + step, reached, float(np.abs(step).max())
    return theta, iterations


def _posterior(choices: Choices, theta: Array, walks: Array, sd: float) -> tuple[float, Array, Array]:
    """The log posterior, and of the likelihood alone the gradient and minus the Hessian."""
    value, g, H = _derivatives(choices, theta)
    return value + _log_prior(theta, walks, sd), g, H


def _derivatives(choices: Choices, theta: Array) -> tuple[float, Array, Array]:
    """The log likelihood, its gradient (T, n) and minus its Hessian (T, n, n): slices do not interact in it."""
    at, members, totals = choices.slices, choices.members, choices.totals
    n, length = choices.n, choices.length
    strengths = np.column_stack([theta, np.full(length, NO_STRENGTH)])[at[:, None], members]  # (C, S)
    highest = strengths.max(axis=1, keepdims=True)
    odds = np.exp(strengths - highest)
    sums = odds.sum(axis=1, keepdims=True)
    p = odds / sums
    value = float((choices.shares * strengths).sum() - totals @ (highest + np.log(sums))[:, 0])
    rows = at[:, None] * (n + 1) + members
    g = _summed(rows, choices.shares - totals[:, None] * p, (length, n + 1))[:, :n]
    H = np.zeros((length, n + 1, n + 1))
    for one in range(members.shape[1]):
        for other in range(one + 1, members.shape[1]):
            pairs = rows[:, one] * (n + 1) + members[:, other]
            H -= _summed(pairs, totals * p[:, one] * p[:, other], H.shape)
    H = (H + H.transpose(0, 2, 1))[:, :n, :n]
    H[:, range(n), range(n)] = -H.sum(axis=2)
    return value, g, H


def _summed(places: NDArray[np.int64], values: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.bincount(places.ravel(), values.ravel(), math.prod(shape)).reshape(shape), dtype=np.float64)


def _log_prior(theta: Array, walks: Array, sd: float) -> float:
    """Up to the constant that the evidence leaves out too. A slice that no walk leads to equals the one before."""
    free = walks > 0
    moved = np.diff(theta, axis=0)[free]
    return -0.5 * (float((theta[0] ** 2).sum()) / sd**2 + float(((moved**2).sum(axis=1) / walks[free]).sum()))


def _eliminated(H: Array, walks: Array, sd: float) -> Eliminated:
    """Elimination from the first slice on, written so that v = 0 is as exact as any other v."""
    length, n, _ = H.shape
    F, G = np.empty_like(H), np.empty((length - 1, n, n))
    known = np.eye(n) / sd**2
    for t in range(length):
        F[t] = known + H[t]
        if t + 1 < length:
            G[t] = np.linalg.inv(np.eye(n) + walks[t] * F[t])
            known = G[t] @ F[t]
            known = (known + known.T) / 2
    return Eliminated(F, G, walks)


def _solved(system: Eliminated, right: Array) -> Array:
    """(T, n) x with (prior precision + H) x = right, by substitution forwards and back."""
    F, G, walks = system.F, system.G, system.walks
    f = right.copy()
    for t in range(len(G)):
        f[t + 1] += G[t] @ f[t]
    x = np.empty_like(f)
    x[-1] = np.linalg.solve(F[-1], f[-1])
    for t in range(len(G) - 1, -1, -1):
        x[t] = G[t] @ (walks[t] * f[t] + x[t + 1])
    return x


def _variances(system: Eliminated, sd: float) -> Array:
    """(T, n) posterior variances of the strengths against their mean: the inverse's diagonal, without the inverse.

    The mean of all strengths is independent of the differences and no vote bears on it; its prior variance goes.
    """
    F, G, walks = system.F, system.G, system.walks
    length, n, _ = F.shape
    S = np.linalg.inv(F[-1])
    variances = np.empty((length, n))
    variances[-1] = np.diag(S)
    for t in range(length - 2, -1, -1):
        S = walks[t] * G[t] + G[t] @ S @ G[t].T
        variances[t] = np.diag(S)
    common = (sd**2 + np.append(0.0, np.cumsum(walks))) / n
    return variances - common[:, None]


def _log_evidence(choices: Choices, theta: Array, walks: Array, sd: float) -> float:
    """Laplace's log of the votes' probability: at the mode, less half the log determinant against the prior's."""
    value, _, H = _derivatives(choices, theta)
    system = _eliminated(H, walks, sd)
    n = choices.n
    before = 1 / (sd**2 + np.append(0.0, np.cumsum(walks)))  # (T,) information on a strength without votes
    widening = np.linalg.slogdet(np.eye(n) + walks[:, None, None] * system.F[:-1])[1].sum()
    grown = widening + np.linalg.slogdet(system.F[-1])[1]
    prior = n * (np.log1p(walks * before[:-1]).sum() + math.log(before[-1]))
    return value + _log_prior(theta, walks, sd) - 0.5 * float(grown - prior)
