"""Duels counted in cells, and many counts of the same duels fitted at once: what makes a bootstrap of duels cheap.

The likelihood is that of `fit_joint`. With h = (theta_left + bonus - theta_right) / 2 a duel comes out left, drawn or
right with weights exp(h), exp(eta), exp(-h) (Davidson 1970, eq. 2.7, divided by the geometric mean of the worths).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rating.distinct import distinct
from rating.joint import JointFit
from rating.votes import Votes

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

STEP = 1e-8
LONGEST_STEP = 2.0
ITERATIONS = 60
CHORDS = 12
FLAT = 1e-9  # information given to a term that no duel of a resample says anything about


@dataclass(frozen=True, eq=False)
class Counted:
    """(C, R) each, of R resamples: half the wins of the left less half those of the right, the draws, all duels."""

    lead: Floats
    drawn: Floats
    total: Floats

    def take(self, resamples: Codes) -> "Counted":
        return Counted(self.lead[:, resamples], self.drawn[:, resamples], self.total[:, resamples])


@dataclass(frozen=True, eq=False)
class Duels:
    """N duels of n contestants that took part, counted in C frames (poll, left, right) by three outcomes.

    `frame` (N,) and `outcome` (N,), 0 to 2 for left, draw, right, place each duel. `left` and `right` (C,) are
    contestants. `sides` (C, p) gives the log odds of left against right from the p parameters, `tie` (C, p) the tie
    term; `ties` (C, 1) says whether there is one. `squares` are the matrices (p * p, C) of the products side by side,
    side by tie (both orders) and tie by tie: with weights of the frames they give the information.
    `start` (p,) is the estimate of all duels.
    """

    frame: Codes
    outcome: Codes
    left: Codes
    right: Codes
    sides: sparse.csr_array
    tie: sparse.csr_array
    ties: NDArray[np.bool_]
    squares: tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array]
    start: Floats
    contestants: int

    @property
    def cell(self) -> Codes:
        """(N,) frame and outcome in one number below 3 C."""
        return 3 * self.frame + self.outcome

    @property
    def cells(self) -> int:
        return 3 * len(self.left)


def duels_of(fit: JointFit, votes: Votes) -> Duels:
    """The counted votes of the fit, all of them duels; ties are Davidson's or half a win each."""
    place, n = np.cumsum(fit.took_part) - 1, int(fit.took_part.sum())
    terms = {name: at - len(fit.contestants) + n for name, at in fit.terms.items()}
    lefts, ties = (np.array([terms.get(f"{term}:{poll}", -1) for poll in votes.polls]) for term in ("left", "tie"))
    # Without a bonus of the left seat both orders are the same duel.
    swapped = (lefts[votes.poll] < 0) & (votes.seats[:, 0] > votes.seats[:, 1])
    seats = place[np.where(swapped[:, None], votes.seats[:, ::-1], votes.seats)]
    outcome = 1 + np.sign(votes.ranks[:, 0] - votes.ranks[:, 1]) * np.where(swapped, -1, 1)
    frame, example = distinct([votes.poll.astype(np.intp), seats[:, 0], seats[:, 1]], max(n, len(votes.polls)))
    poll, left, right = votes.poll[example], seats[example, 0], seats[example, 1]
    slots = np.stack([left, right, lefts[poll], ties[poll]], axis=1)
    seen, one = slots >= 0, np.ones(len(example))
    side = np.stack([one, -one, one, 0.0 * one], axis=1) * seen
    tie = np.stack([0.0 * one, 0.0 * one, 0.0 * one, one], axis=1) * seen
    slots, p = np.where(seen, slots, 0), n + len(terms)
    across = _products(slots, side, tie, p)
    turned = _products(slots, tie, side, p)
    return Duels(
        frame=frame,
        outcome=outcome.astype(np.intp),
        left=left,
        right=right,
        sides=_sparse(side, np.arange(len(example))[:, None], slots, (len(example), p)),
        tie=_sparse(tie, np.arange(len(example))[:, None], slots, (len(example), p)),
        ties=seen[:, 3:],
        squares=(_products(slots, side, side, p), across + turned, _products(slots, tie, tie, p)),
        start=fit.estimate[np.append(fit.took_part, np.ones(len(terms), dtype=bool))],
        contestants=n,
    )


def _products(slots: Codes, one: Floats, other: Floats, p: int) -> sparse.csr_array:
    place = slots[:, :, None] * p + slots[:, None, :]
    return _sparse(
        one[:, :, None] * other[:, None, :], place, np.arange(len(slots))[:, None, None], (p * p, len(slots))
    )


def _sparse(value: Floats, row: Codes, column: Codes, shape: tuple[int, int]) -> sparse.csr_array:
    kept = value != 0.0
    rows, columns = np.broadcast_to(row, value.shape)[kept], np.broadcast_to(column, value.shape)[kept]
    return sparse.csr_array((value[kept], (rows, columns)), shape=shape)


def determined(duels: Duels, counts: Floats) -> NDArray[np.bool_]:
    """(R,) whether in a resample everybody leads to everybody by wins and draws (Ford 1957, as `vote_state`).

    The duels themselves do, so a resample that has some of all that occurred needs no look.
    """
    occurred = np.bincount(duels.cell, minlength=duels.cells).reshape(-1, 3) > 0
    found = np.asarray((counts[occurred] > 0).all(axis=0))
    found[~found] = _connected(duels, counts[..., ~found])
    return found


def _connected(duels: Duels, counts: Floats) -> NDArray[np.bool_]:
    n, resamples = duels.contestants, counts.shape[-1]
    reached = np.zeros((n * n, resamples), dtype=np.float32)
    np.add.at(reached, duels.left * n + duels.right, (counts[:, 0] + counts[:, 1] > 0).astype(np.float32))
    np.add.at(reached, duels.right * n + duels.left, (counts[:, 2] + counts[:, 1] > 0).astype(np.float32))
    reached[:: n + 1] = 1.0
    matrix = np.ascontiguousarray(reached.T).reshape(resamples, n, n)
    for _ in range(max(1, (n - 1).bit_length())):
        matrix = np.minimum(matrix @ matrix, 1.0)
    wins = counts[:, 0].sum(axis=0) + counts[:, 2].sum(axis=0)
    return (matrix > 0).all(axis=(1, 2)) & (wins > 0)


def fit_many(duels: Duels, counts: Floats) -> Floats:
    """(R, n) theta of R resamples counted in (C, 3, R), each `determined`; those that do not converge are left out.

    Resamples are close to each other, so the information of all of them together serves each one first (the chord
    method: Kelley 1995, section 5.4): it is inverted once. Those that it does not bring to rest go on by Newton's own.
    A tie term of a poll that drew no tie runs away, theta does not: only theta has to come to rest.
    """
    n, resamples = duels.contestants, counts.shape[-1]
    estimate, active = np.tile(duels.start[:, None], resamples), np.arange(resamples)
    counted = Counted((counts[:, 0] - counts[:, 2]) / 2.0, counts[:, 1], counts.sum(axis=1))
    shared: Floats | None = None
    if resamples:
        together = Counted(*(part.mean(axis=1, keepdims=True) for part in (counted.lead, counted.drawn, counted.total)))
        shared = np.linalg.inv(_derivatives(duels, together, estimate[:, :1])[1][0])
    before = np.full(resamples, STEP)
    for iteration in range(ITERATIONS):
        if not len(active):
            break
        whole = len(active) == resamples
        own, at = (counted, estimate) if whole else (counted.take(active), estimate[:, active])
        # All start from one point, and what is expected there is the same for all.
        step = _step(duels, own, at if iteration else at[:, :1], shared if iteration < CHORDS else None)
        longest = np.abs(step).max(axis=0, initial=0.0)
        estimate[:, active] += step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, STEP))
        moved = np.abs(step[:n]).max(axis=0)
        # A chord's steps shrink by a like factor each time, Newton's by a smaller one: the next would be this long.
        going = moved * np.minimum(1.0, moved / before) > STEP / 10.0
        active, before = active[going], moved[going]
    theta = np.delete(estimate, active, axis=1)[:n]
    return np.asarray((theta - theta.mean(axis=0)).T)


def _step(duels: Duels, counted: Counted, estimate: Floats, inverse: Floats | None) -> Floats:
    """(p, R) the steps of R resamples: by the inverse information (p, p) given for all, or by their own."""
    if inverse is not None:
        return np.asarray(inverse @ _gradient(duels, counted, *_weights(duels, estimate)))
    gradient, information = _derivatives(duels, counted, estimate)
    return np.asarray(np.linalg.solve(information, gradient.T[..., None])[..., 0].T)


def _weights(duels: Duels, estimate: Floats) -> tuple[Floats, Floats, Floats]:
    """(C, R) each: half of what left weighs more than right, the weight of a draw, the inverse of all three weights."""
    up = np.exp(duels.sides @ (estimate / 2.0))
    down, level = 1.0 / up, duels.tie @ np.exp(estimate)
    return (up - down) / 2.0, level, 1.0 / (up + down + level)


def _gradient(duels: Duels, counted: Counted, lead: Floats, level: Floats, share: Floats) -> Floats:
    """(p, R): what was counted less what the weights expect."""
    each = counted.total * share
    gradient = duels.sides.T @ (counted.lead - each * lead)
    if duels.ties.any():
        gradient += duels.tie.T @ (counted.drawn - each * level)
    return np.asarray(gradient)


def _derivatives(duels: Duels, counted: Counted, estimate: Floats) -> tuple[Floats, Floats]:
    """(p, R) the gradients and (R, p, p) the information of R resamples, complete in the directions of no say."""
    n, (p, resamples) = duels.contestants, estimate.shape
    weights = _weights(duels, estimate)
    gradient = _gradient(duels, counted, *weights)
    lead, drawn, total = weights[0] * weights[2], weights[1] * weights[2], counted.total
    sides, across, tie = duels.squares
    information = sides @ (total * ((1.0 - drawn) / 4.0 - lead**2))
    information -= across @ (total * lead * drawn)
    information += tie @ (total * drawn * (1.0 - drawn))
    matrix = np.ascontiguousarray(information.T).reshape(resamples, p, p)
    matrix[:, :n, :n] += 1.0  # the gauge: theta keeps its sum
    matrix[:, range(n, p), range(n, p)] += FLAT
    return gradient, matrix
