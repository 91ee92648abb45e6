"""The loop of Elo compiled by numba (docs/speed.md). Only rating.compiled imports this module.

Each function repeats, on arrays that are allocated once, the one that its docstring names, which says what is computed
and why.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
import math

import numpy as np

from rating.averages import STEPS
from rating.compiled_base import jit, place_seats
from rating.elo import HALF_NAT
from rating.votes import PICK, RANKING


@jit
def play_elo(start, seats, ranks, kinds, times, ratings, k, window_scale, cell, boundary, sums, first):
    """rating.elo.play with rating.averages.WindowMean.fold, from vote `start` to the next mark (or the end).

    `times` are of all votes; `sums` (2, n) are levels and moments, `first` (n,) is nan before a contestant's first
    vote. Returns the vote that is the mark, not played yet, and its cell.
    """
    size = seats.shape[1]
    placed, gains = np.empty(size, np.int64), np.empty(size)
    for vote in range(start, len(kinds)):
        if kinds[vote] > RANKING:
            continue
        now = times[vote]
        if now >= boundary:
            own = cell_of(now, window_scale)
            if own > cell:
                return vote, own
        if size == 2 or seats[vote, 2] < 0:
            one, two = seats[vote, 0], seats[vote, 1]
            score = float(ranks[vote, 1]) - float(ranks[vote, 0])
            # tanh by an exponential of what is below 0: faster, and odd to the last bit.
            distance = 2.0 * HALF_NAT * (ratings[one] - ratings[two])
            odds = math.exp(-abs(distance))
            gain = k / 2.0 * (score - math.copysign((1.0 - odds) / (1.0 + odds), distance))
            _move(one, gain, now, ratings, sums, first)
            _move(two, -gain, now, ratings, sums, first)
            continue
        count = place_seats(vote, seats, ranks, placed)
        _gains(count, vote, seats, ranks, placed, kinds[vote] == PICK, ratings, k, gains)
        for i in range(count):
            _move(seats[vote, placed[i]], gains[i], now, ratings, sums, first)
    return len(kinds), cell


@jit
def _gains(count, vote, seats, ranks, placed, pick, ratings, k, gains):
    """rating.elo._play_large: what each seat gains."""
    half = k / (count - 1) / 2.0
    gains[:count] = 0.0
    for i in range(1 if pick else count):
        for j in range(i + 1, count):
            one, two = placed[i], placed[j]
            score = 1.0 if ranks[vote, one] < ranks[vote, two] else 0.0
            gain = half * (score - math.tanh(HALF_NAT * (ratings[seats[vote, one]] - ratings[seats[vote, two]])))
            gains[i] += gain
            gains[j] -= gain


@jit
def _move(code, change, now, ratings, sums, first):
    ratings[code] += change
    sums[0, code] += change
    sums[1, code] += change * now
    if math.isnan(first[code]):
        first[code] = now


@jit
def cell_of(time, window_scale):
    """rating.averages.WindowMean._cells for one time >= 0; `window_scale` is STEPS / window, 0 for no window."""
    if window_scale > 0.0:
        return math.floor(time * window_scale)
    mantissa, exponent = math.frexp(time)
    return math.ldexp(math.floor(mantissa * (2 * STEPS)), exponent)
