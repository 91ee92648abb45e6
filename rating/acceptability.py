"""What "all bad" says: the share of a contestant's images that pass, on a scale of its own (docs/acceptability.md).

P(all bad | seats) is the product over the seats of exp(-r_i), with r_i = exp(eta_i): each image fails by itself, and
1 - exp(-r_i) is the share of contestant i's images that pass. None of this enters the strengths.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rating.distinct import distinct
from rating.errors import StateError
from rating.votes import BAD, Votes

Array = NDArray[np.float64]
SPREADS = np.geomspace(0.05, 3.0, 14)  # sds of eta among contestants that are weighed against each other, in nat
SPREAD_SCALE = 1.0  # of their half-normal prior
CLOSE = 1e-8  # in nat
FURTHEST = 2.0  # in nat, a step
ITERATIONS = 100
HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Acceptability:
    """For each of n contestants: `votes` (counted or all bad) that seat it and `bad` ones among them, both (n,).

    `share` (n,) in (0, 1) estimates which part of its images pass, `low` and `high` bound it; nan without votes.
    `spread` is the learned sd of eta among contestants.
    """

    contestants: tuple[str, ...]
    votes: NDArray[np.intp]
    bad: NDArray[np.intp]
    share: Array
    low: Array
    high: Array
    spread: float


@dataclass(frozen=True, eq=False)
class _Cells:
    """C sets of k contestants: who (C, k), how many of their votes were all bad and how many were not, both (C,)."""

    index: NDArray[np.intp]
    bad: Array
    passed: Array


@dataclass(frozen=True, eq=False)
class _Fit:
    """The posterior of (eta, its mean among contestants) for one spread: mode, covariance, log evidence."""

    mode: Array
    covariance: Array
    log_evidence: float


def fit_acceptability(votes: Votes, *, level: float = 0.95) -> Acceptability:
    """Estimate the share of each contestant's images that pass, from all votes that are counted or all bad.

    eta_i ~ N(mean, spread^2) with a flat prior of the mean and a half-normal(1) one of the spread; both are learned.
    The posterior given the spread is Laplace's approximation; spreads are averaged by their evidence (MacKay 1992).
    The intervals hold with probability `level` each and take votes for independent.
    Raises StateError where there are no such votes, none of them is bad, or all are.
    """
    asked = votes.counted | (votes.kinds == BAD)
    called_bad = votes.kinds == BAD
    n = len(votes.contestants)
    seated, bad = _seatings(votes, asked), _seatings(votes, called_bad)
    if not asked.any():
        raise StateError("No votes: nothing to say about what is acceptable.")
    if not called_bad.any():
        raise StateError(f"None of {asked.sum():,} votes called all seats bad: the votes set no bound on what passes.")
    if not votes.counted.any():
        raise StateError(f"All {asked.sum():,} votes called all seats bad: nothing is known to pass.")
    active = np.flatnonzero(seated)
    eta, sd, spread = _averaged(_cells(votes, asked, active), len(active))
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, low, high = (np.full(n, math.nan) for _ in range(3))
    for column, value in ((share, eta), (low, eta - z * sd), (high, eta + z * sd)):
        column[active] = -np.expm1(-np.exp(value))
    return Acceptability(votes.contestants, seated, bad, share, low, high, spread)


def _seatings(votes: Votes, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n,) in how many of the chosen votes each contestant is seated."""
    seats = votes.seats[chosen]
    return np.bincount(seats[seats >= 0], minlength=len(votes.contestants))


def _cells(votes: Votes, asked: NDArray[np.bool_], active: NDArray[np.intp]) -> list[_Cells]:
    """Votes on the same contestants, in whatever seats, counted; contestants are numbered as in `active`."""
    place = np.zeros(len(votes.contestants), np.intp)
    place[active] = np.arange(len(active))
    sizes, cells = votes.sizes, []
    for size in np.flatnonzero(np.bincount(sizes[asked])).tolist():
        rows = asked & (sizes == size)
        members = np.sort(place[votes.seats[rows, :size]], axis=1)
        number, example = distinct(list(members.T), len(active))
        bad = np.bincount(number[votes.kinds[rows] == BAD], minlength=len(example))
        passed = np.bincount(number[votes.counted[rows]], minlength=len(example))
        cells.append(_Cells(members[example], bad.astype(np.float64), passed.astype(np.float64)))
    return cells


def _averaged(cells: list[_Cells], n: int) -> tuple[Array, Array, float]:
    """Mean (n,) and sd (n,) of eta, and the spread, over all spreads by their posterior probability."""
    total = sum(float((cell.bad + cell.passed).sum()) for cell in cells)
    images = sum(float((cell.bad + cell.passed).sum()) * cell.index.shape[1] for cell in cells)
    bad = sum(float(cell.bad.sum()) for cell in cells)
    at = np.full(n + 1, math.log(-math.log(bad / total) * total / images))
    fits = []
    for spread in SPREADS.tolist():
        fits.append(_fit(cells, at, spread))
        at = fits[-1].mode
    # The grid is geometric: a point stands for an interval as wide as the spread.
    weight = np.array([fit.log_evidence for fit in fits]) - (SPREADS / SPREAD_SCALE) ** 2 / 2 + np.log(SPREADS)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    modes = np.stack([fit.mode for fit in fits])
    variances = np.stack([np.diagonal(fit.covariance) for fit in fits])
    mean = weight @ modes
    sd = np.sqrt(weight @ (variances + (modes - mean) ** 2))
    return mean[:n], sd[:n], float(weight @ SPREADS)


def _fit(cells: list[_Cells], start: Array, spread: float) -> _Fit:
    """The mode over eta and its mean by Newton's method, and Laplace's approximation there."""
    n = len(start) - 1
    pull = np.eye(n + 1)
    pull[:n, n] = pull[n, :n] = -1.0
    pull[n, n] = n
    pull /= spread**2
    at, here = start, _derivatives(cells, start)
    for _ in range(ITERATIONS):
        root = _root(here, pull)
        step = np.linalg.solve(root @ root.T, here.gradient - pull @ at)
        step *= min(1.0, FURTHEST / max(np.abs(step).max(), CLOSE))
        value = here.value - at @ pull @ at / 2
        for _ in range(HALVINGS):
            there = _derivatives(cells, at + step)
            if there.value - (at + step) @ pull @ (at + step) / 2 >= value - 1e-12 * abs(value):
                break
            step = step / 2
        at, here = at + step, there
        if np.abs(step).max() < CLOSE:
            break
    root = _root(here, pull)
    evidence = here.value - at @ pull @ at / 2 - n * math.log(spread) - np.log(np.diagonal(root)).sum()
    return _Fit(at, np.asarray(np.linalg.inv(root @ root.T)), float(evidence))


def _root(here: "_Derivatives", pull: Array) -> Array:
    """The Cholesky root of the posterior's information; of the expected one where the observed is indefinite."""
    try:
        return np.asarray(np.linalg.cholesky(here.observed + pull))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.cholesky(here.expected + pull))


@dataclass(frozen=True, eq=False)
class _Derivatives:
    """The log likelihood at (eta, mean), its gradient, minus its Hessian, and the expectation of that."""

    value: float
    gradient: Array
    observed: Array
    expected: Array


def _derivatives(cells: list[_Cells], at: Array) -> _Derivatives:
    """By the chain rule through R, the sum of r over the seats: log P(bad) = -R, log P(not bad) = log(1 - exp(-R))."""
    p = len(at)
    rate = np.exp(at)
    value, gradient = 0.0, np.zeros(p)
    observed, expected = np.zeros(p * p), np.zeros(p * p)
    for cell in cells:
        r = rate[cell.index]
        R = r.sum(axis=1)
        odds = 1 / np.expm1(R)
        value += float((cell.passed * np.log(-np.expm1(-R)) - cell.bad * R).sum())
        gradient += np.bincount(cell.index.ravel(), ((cell.passed * odds - cell.bad)[:, None] * r).ravel(), p)
        pairs = (cell.index[:, :, None] * p + cell.index[:, None, :]).ravel()
        outer = r[:, :, None] * r[:, None, :]
        observed += np.bincount(pairs, ((cell.passed * odds * (1 + odds))[:, None, None] * outer).ravel(), p * p)
        expected += np.bincount(pairs, (((cell.passed + cell.bad) * odds)[:, None, None] * outer).ravel(), p * p)
    return _Derivatives(value, gradient, observed.reshape(p, p) - np.diag(gradient), expected.reshape(p, p))
