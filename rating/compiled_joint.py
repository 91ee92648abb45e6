"""The loops of the joint fit compiled by numba (docs/speed.md). Only rating.compiled imports this module."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
import math

import numpy as np

from rating.compiled_base import jit


@jit
def ranking_stages(members, ranks, kept, choose, start):
    """rating.stages._ranking_stages with its _placed and _alternative, for strict and tied rankings (R, k) at once.

    Without `kept` (0 or 1, the first seat) seats are in the order of their members. A stage of m members with (1) or
    without (0) that first seat is of shape 2 m + (1 or 0). `choose` holds C(c, j), `start` (k + 1, sizes) the first
    alternative of each size of tie among m members, -1 where there is none. Returns where each shape begins (and the
    last one ends) among the stages, and of each stage its ranking, its members and what was chosen.
    """
    count, seats = members.shape
    bounds = np.zeros(2 * seats + 3, np.int64)
    for vote in range(count):
        for rank in range(seats):
            shape = _shape(vote, ranks, rank, kept)
            if shape >= 4:
                bounds[shape + 1] += 1
    for shape in range(2 * seats + 2):
        bounds[shape + 1] += bounds[shape]
    total, places, order = bounds[-1], bounds.copy(), np.empty(seats, np.int64)
    whose, available, chosen = np.empty(total, np.int64), np.empty((total, seats), np.int64), np.empty(total, np.int64)
    for vote in range(count):
        _sort(vote, members, kept, order)
        for rank in range(seats):
            shape = _shape(vote, ranks, rank, kept)
            if shape >= 4:
                at = places[shape]
                places[shape] += 1
                whose[at] = vote
                chosen[at] = _stage(vote, rank, members, ranks, order, choose, start, available, at)
    return bounds, whose, available, chosen


@jit
def _stage(vote, rank, members, ranks, order, choose, start, available, at):
    """The members of a stage, and the alternative chosen."""
    size = tied = place = 0
    for seat in order:
        if ranks[vote, seat] == rank:
            tied += 1
            if tied < choose.shape[1]:
                place += choose[size, tied]
        if ranks[vote, seat] >= rank:
            available[at, size] = members[vote, seat]
            size += 1
    first = start[size, tied] if tied < start.shape[1] else -1
    return first if first < 0 else first + place


@jit
def _sort(vote, members, kept, order):
    """The seats of a vote by member; the first `kept` stay where they are."""
    for seat in range(members.shape[1]):
        at = seat
        while at > kept and members[vote, order[at - 1]] > members[vote, seat]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = seat


@jit
def _shape(vote, ranks, rank, kept):
    """Twice the number of seats at this rank and below, and 1 more where the kept first seat is one of them."""
    shape = kept * (ranks[vote, 0] >= rank)
    for seat in range(ranks.shape[1]):
        shape += 2 * (ranks[vote, seat] >= rank)
    return shape


@jit
def add(design, index, counts, at, gradient, flat):
    """rating.likelihood._add."""
    alternatives, size = design.shape
    chances, mean, second = np.empty(alternatives), np.empty(size), np.empty((size, size))
    value = 0.0
    for frame in range(len(index)):
        for a in range(alternatives):
            chances[a] = 0.0
            for i in range(size):
                chances[a] += design[a, i] * at[index[frame, i]]
        share, total = _probabilities(chances, counts, frame)
        value += share
        mean[:] = 0.0
        second[:] = 0.0
        for a in range(alternatives):
            _moments(design, a, total * chances[a], counts[frame, a], index, frame, mean, second, gradient)
        for i in range(size):
            for j in range(i, size):
                flat[index[frame, i] * len(at) + index[frame, j]] += second[i, j] - mean[i] * (mean[j] / total)
    return value


@jit
def _moments(design, a, expected, count, index, frame, mean, second, gradient):
    """Adds what one alternative contributes to its frame's first and second moments, and to the gradient."""
    for i in range(design.shape[1]):
        share = design[a, i]
        if share != 0.0:
            gradient[index[frame, i]] += (count - expected) * share
            mean[i] += expected * share
            for j in range(i, design.shape[1]):
                second[i, j] += expected * share * design[a, j]


@jit
def _probabilities(utility, counts, frame):
    """The log likelihood of the counts, and their sum; the utilities become probabilities."""
    top, value, everything, total = utility.max(), 0.0, 0.0, 0.0
    for a in range(len(utility)):
        everything += math.exp(utility[a] - top)
    top += math.log(everything)
    for a in range(len(utility)):
        value += counts[frame, a] * (utility[a] - top)
        total += counts[frame, a]
        utility[a] = math.exp(utility[a] - top)
    return value, total
