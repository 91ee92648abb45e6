"""What the fits with a Gaussian prior share: when votes can be rated, the logistic scale, the search for the prior."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rating.errors import PriorError, StateError
from rating.graph import vote_state
from rating.votes import Votes

LOGISTIC = 1.702  # the normal distribution function at x is within 0.0095 of the logistic one at 1.702 x (Camilli 1994)
MU = 25.0
BETA = 25 / 6
# TrueSkill's difference of performances has the sd sqrt(2) beta: one nat of log-strength in its units, 3.462.
UNITS_PER_NAT = BETA * math.sqrt(2) / LOGISTIC
PRIOR_SD = (25 / 3) / UNITS_PER_NAT  # TrueSkill's sigma at the start, 25/3, in nat: 2.407

Vector = NDArray[np.float64]


def require_comparable(votes: Votes) -> None:
    """StateError where even a prior leaves nothing to rate: no votes, all draws, or groups that never met.

    Separated votes pass: the prior keeps their distances finite.
    """
    state = vote_state(votes)
    if state.name not in ("ok", "separated"):
        raise StateError(state.message)


def check_prior(*, sd: float | None = None, rho: float | None = None, gamma: float | None = None) -> None:
    """PriorError unless sd > 0, 0 <= rho <= 1 and gamma >= 0, all finite; None is not checked."""
    if sd is not None and not 0 < sd < math.inf:
        raise PriorError(f"sd is {sd}; the sd of a skill is a finite number above 0")
    if rho is not None and not 0 <= rho <= 1:
        raise PriorError(f"rho is {rho}; the correlation between polls is from 0 to 1")
    if gamma is not None and not 0 <= gamma < math.inf:
        raise PriorError(f"gamma is {gamma}; the sd of a walk is a finite number, 0 or more")


def log_normal(value: float, median: float, spread: float) -> float:
    """The log density, up to a constant, of log value ~ N(log median, spread^2): a weak opinion on a scale."""
    return -0.5 * ((math.log(value) - math.log(median)) / spread) ** 2


def maximise(
    function: Callable[[Vector], float], start: Vector, *, step: float, tolerance: float, limit: int
) -> Vector:
    """Where a smooth function of few variables (d,) is greatest, by the simplex of Nelder & Mead (1965).

    Starts with `step` along each axis and stops when the simplex is smaller than `tolerance` or after about `limit`
    evaluations. It needs no derivatives, which the evidence of a Laplace fit has only through those of its mode.
    """
    corners = np.vstack([start, start + step * np.eye(len(start))])
    values = np.array([function(corner) for corner in corners])
    spent = len(values)
    while spent < limit and np.ptp(corners, axis=0).max() > tolerance:
        order = np.argsort(-values, kind="stable")
        corners, values = corners[order], values[order]
        corner, value, used = _better_corner(function, corners, values)
        spent += used
        if value > values[-1]:
            corners[-1], values[-1] = corner, value
            continue
        corners[1:] = (corners[0] + corners[1:]) / 2
        values[1:] = [function(corner) for corner in corners[1:]]
        spent += len(start)
    return np.asarray(corners[np.argmax(values)])


def _better_corner(function: Callable[[Vector], float], corners: Vector, values: Vector) -> tuple[Vector, float, int]:
    """A candidate for the worst corner, its value and the evaluations spent: reflected, expanded or contracted."""
    centre = corners[:-1].mean(axis=0)
    reflected = 2 * centre - corners[-1]
    value = function(reflected)
    if value > values[0]:
        further = 3 * centre - 2 * corners[-1]
        reached = function(further)
        return (further, reached, 2) if reached > value else (reflected, value, 2)
    # In one dimension the best corner is also the second worst.
    if len(values) > 2 and value > values[-2]:
        return reflected, value, 1
    nearer = (centre + reflected) / 2 if value > values[-1] else (centre + corners[-1]) / 2
    reached = function(nearer)
    return (nearer, reached, 2) if reached > value else (reflected, value, 2)
