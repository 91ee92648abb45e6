"""The loops of TrueSkill compiled by numba (docs/speed.md). Only rating.compiled imports this module.

The functions of rating.gaussian and the moments of a drawn duel are compiled as they stand. The others repeat, on
arrays that are allocated once, the function that their docstring names, which says what is computed and why.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
import math

import numpy as np

from rating import closed_form, gaussian, levels, star, tree
from rating.compiled_base import as_they_stand, jit, place_seats
from rating.gaussian import FRACTION_FROM, PEAK, ROOT_HALF
from rating.votes import PICK, RANKING

TOLERANCE, SWEEPS, REACH = tree.TOLERANCE, tree.SWEEPS, levels.REACH
PICK_TOLERANCE, PICK_SWEEPS = star.TOLERANCE, star.SWEEPS
FLOAT_ROWS, INT_ROWS = 12, 5
GAUSSIAN = (
    "cdf", "pdf", "won", "drawn", "_at_the_edge", "_narrow", "_wide", "win_moments", "draw_moments", "win_site",
    "draw_site",
)  # fmt: skip

# Of one length, which numba needs: a weight of 0 adds nothing.
_quadratures = {
    name: (*nodes, *[(0.0, 0.0)] * (len(gaussian.QUADRATURE) - len(nodes)))
    for name, nodes in (("QUADRATURE", gaussian.QUADRATURE), ("FLAT_QUADRATURE", gaussian.FLAT_QUADRATURE))
}
_gaussian = as_they_stand(gaussian, GAUSSIAN, **_quadratures)
_win_moments, _win_site, _draw_site = (_gaussian[name] for name in ("win_moments", "win_site", "draw_site"))
_draw = as_they_stand(closed_form, ("_draw",), draw_moments=_gaussian["draw_moments"])["_draw"]


@jit
def play_trueskill(
    seats, ranks, kinds, poll, mean, variance, margins, slopes, beta, drift, prior_draws, most, rated, learned
):
    """rating.trueskill._Board.play: counted votes in their order; beliefs and margins change in place.

    `rated` (contestants) and `learned` (polls) become true for those of the votes.
    """
    size = seats.shape[1]
    placed, means, variances = np.empty(size, np.int64), np.empty(size), np.empty(size)
    places = np.empty(size, np.int64)
    floats, ints = np.empty((FLOAT_ROWS, 2 * size)), np.empty((INT_ROWS, 2 * size), np.int64)
    for vote in range(len(kinds)):
        if kinds[vote] > RANKING:
            continue
        if size == 2 or seats[vote, 2] < 0:
            drawn = ranks[vote, 0] == ranks[vote, 1]
            swapped = int(ranks[vote, 0] > ranks[vote, 1] or (drawn and seats[vote, 0] > seats[vote, 1]))
            one, two = seats[vote, swapped], seats[vote, 1 - swapped]
            rated[one] = rated[two] = learned[poll[vote]] = True
            _duel(one, two, drawn, poll[vote], mean, variance, margins, slopes, beta, drift, prior_draws, most)
            continue
        learned[poll[vote]] = True
        count = place_seats(vote, seats, ranks, placed)
        for i in range(count):
            code = seats[vote, placed[i]]
            means[i], variances[i], places[i] = mean[code], variance[code] + drift, ranks[vote, placed[i]]
        if kinds[vote] == PICK:
            _pick(count, means, variances, beta, floats, ints)
        else:
            margin = margins[poll[vote]]
            if prior_draws > 0.0:
                margin = _learn(count, means, variances, places, poll[vote], margins, slopes, beta, prior_draws, most)
            _ranking(count, means, variances, places, beta, margin, floats, ints)
        for i in range(count):
            code = seats[vote, placed[i]]
            mean[code], variance[code], rated[code] = means[i], variances[i], True


@jit
def _duel(winner, loser, drawn, poll, mean, variance, margins, slopes, beta, drift, prior_draws, most):
    """rating.closed_form.rate_duels for one duel."""
    of_winner, of_loser = variance[winner] + drift, variance[loser] + drift
    spread = of_winner + of_loser + 2.0 * beta * beta
    root = math.sqrt(spread)
    gap, margin = mean[winner] - mean[loser], margins[poll]
    if drawn and margin == 0.0 and prior_draws > 0.0:
        margin = margins[poll] = prior_draws / slopes[poll]
    low = (gap - margin) / root
    density = PEAK * math.exp(-0.5 * low * low)
    below = 0.5 * math.erfc(-low * ROOT_HALF)
    if prior_draws > 0.0:
        trust = (2.0 * beta * beta / spread) ** 2
        if margin > 0.0:
            high = (gap + margin) / root
            slopes[poll] += trust * (density + PEAK * math.exp(-0.5 * high * high)) / root
            surprise = (1.0 if drawn else 0.0) - 0.5 * math.erfc(-high * ROOT_HALF) + below
            margins[poll] = min(margin + trust * surprise / slopes[poll], most)
        else:
            slopes[poll] += trust * 2.0 * density / root
    if drawn:
        v, w = _draw(gap / root, margin / root)
    elif low >= FRACTION_FROM:
        v = density / below
        w = v * (v + low)
    else:
        v, w = _win_moments(low)
    step, shrink = v / root, w / spread
    mean[winner] += of_winner * step
    mean[loser] -= of_loser * step
    variance[winner] = of_winner * (1.0 - of_winner * shrink)
    variance[loser] = of_loser * (1.0 - of_loser * shrink)


@jit
def _learn(count, means, variances, ranks, poll, margins, slopes, beta, prior_draws, most):
    """rating.trueskill._Board._rate, its first half, with rating.margins.learn_ranking: the margin to rate with."""
    margin, slope, surprise, tied = margins[poll], slopes[poll], 0.0, False
    for i in range(1, count):
        tied |= ranks[i] == ranks[i - 1]
    if margin == 0.0 and tied:
        margin = prior_draws / slope
    for i in range(count):
        for j in range(i + 1, count):
            spread = variances[i] + variances[j] + 2.0 * beta * beta
            root, trust = math.sqrt(spread), (2.0 * beta * beta / spread) ** 2
            low, high = (means[i] - means[j] - margin) / root, (means[i] - means[j] + margin) / root
            slope += trust * PEAK * (math.exp(-0.5 * low * low) + math.exp(-0.5 * high * high)) / root
            mass = 0.5 * (math.erfc(-high * ROOT_HALF) - math.erfc(-low * ROOT_HALF))
            surprise += trust * ((1.0 if ranks[i] == ranks[j] else 0.0) - mass)
    slopes[poll] = slope
    margins[poll] = min(max(margin + surprise / slope, 0.5 * margin), most) if margin > 0.0 else 0.0
    return margin


@jit
def _pick(n, means, variances, beta, floats, ints):
    """rating.star.rate_pick in place."""
    up, up_pull, steps, shrinks, losers = floats[0], floats[1], floats[2], floats[3], ints[0]
    noise, origin, variance = beta * beta, means[0], variances[0]
    for i in range(1, n):
        up[i] = up_pull[i] = 0.0
        place = i - 1
        while place > 0 and _better(i, losers[place - 1], means, variances):
            losers[place] = losers[place - 1]
            place -= 1
        losers[place] = i
    own = precision = 1.0 / (variance + noise)
    pull = 0.0
    for _ in range(PICK_SWEEPS):
        before, before_pull = precision, pull
        for arm in range(n - 1):
            at = losers[arm]
            precision -= up[at]
            pull -= up_pull[at]
            ahead = 1.0 / precision
            centre = ahead * pull
            spread = ahead + variances[at] + noise
            root = math.sqrt(spread)
            v, w = _win_moments((centre - (means[at] - origin)) / root)
            left = spread - w * ahead
            up[at], up_pull[at] = w / left, (w * centre + v * root) / left
            precision += up[at]
            pull += up_pull[at]
            steps[at], shrinks[at] = v / root, w / spread
        most = PICK_TOLERANCE * math.sqrt(before)
        if abs(precision - before) <= PICK_TOLERANCE * before and abs(pull - before_pull) <= most:
            break
    told = precision - own
    share = 1.0 + told * (variance + noise)
    means[0], variances[0] = origin + variance * pull / share, variance * (1.0 + told * noise) / share
    for at in range(1, n):
        means[at] -= variances[at] * steps[at]
        variances[at] *= 1.0 - variances[at] * shrinks[at]


@jit
def _better(one, other, means, variances):
    return means[one] > means[other] or (means[one] == means[other] and variances[one] < variances[other])


@jit
def _ranking(n, means, variances, ranks, beta, margin, floats, ints):
    """rating.levels.rate_ranking in place."""
    own, precision, pull, heard = floats[0], floats[1], floats[2], floats[3]
    first, second, tied, path = ints[0], ints[1], ints[2], ints[3]
    noise, reach = beta * beta, REACH * margin
    for i in range(n):
        own[i] = 1.0 / (variances[i] + noise)
        precision[i], pull[i] = own[i], own[i] * (means[i] - means[0])
    factors = _tree(n, means, variances, ranks, noise, reach, precision, pull, heard, first, second, tied)
    steps = factors
    for at in range(factors):
        path[at] = at
    for at in range(factors - 2, 0, -1):
        if not tied[at]:
            path[steps] = at
            steps += 1
    _propagate(factors, steps, precision, pull, first, second, tied, heard, path, margin, reach, floats[4:])
    _skills(n, means, variances, beta, own, precision, pull)


@jit
def _tree(n, means, variances, ranks, noise, reach, precision, pull, heard, first, second, tied):
    """The first half of rating.levels.rate_ranking: the levels and their factors; how many factors there are."""
    nodes, factors, above, seat = n, 0, -1, 0
    while seat < n:
        behind = seat + 1
        while behind < n and ranks[behind] == ranks[seat]:
            behind += 1
        level = seat
        if behind - seat > 1:
            level = nodes
            nodes += 1
            precision[level] = pull[level] = 0.0
            for member in range(seat, behind):
                weight = 1.0 / (variances[member] + noise + reach * reach / 3.0)
                first[factors], second[factors], tied[factors], heard[factors] = member, level, 1, weight
                factors += 1
                precision[level] += weight
                pull[level] += weight * (means[member] - means[0])
        if above >= 0:
            first[factors], second[factors], tied[factors], heard[factors] = above, level, 0, 0.0
            factors += 1
        above, seat = level, behind
    return factors


@jit
def _propagate(factors, steps, precision, pull, first, second, tied, down, path, margin, reach, floats):
    """rating.tree.propagate."""
    site, said, up, up_pull, down_pull = floats[0], floats[1], floats[2], floats[3], floats[4]
    for at in range(factors):
        site[at] = said[at] = up[at] = up_pull[at] = 0.0
        down_pull[at] = down[at] * pull[first[at]] / precision[first[at]]
    for _ in range(SWEEPS):
        moved = 0.0
        for step in range(steps):
            at = path[step]
            one, two = first[at], second[at]
            ahead, behind = 1.0 / (precision[one] - up[at]), 1.0 / (precision[two] - down[at])
            mean, other = ahead * (pull[one] - up_pull[at]), behind * (pull[two] - down_pull[at])
            spread = ahead + behind
            if tied[at]:
                new, new_pull = _draw_site(mean - other, spread, reach)
            else:
                new, new_pull = _win_site(mean - other, spread, margin)
            moved = max(moved, abs(new - site[at]) * spread / (1.0 + new * spread))
            moved = max(moved, abs(new_pull - said[at]) / (abs(new_pull) + 1.0 / math.sqrt(spread)))
            site[at], said[at] = new, new_pull
            share = 1.0 + new * behind
            message, message_pull = new / share, (new * other + new_pull) / share
            precision[one] += message - up[at]
            pull[one] += message_pull - up_pull[at]
            up[at], up_pull[at] = message, message_pull
            share = 1.0 + new * ahead
            message, message_pull = new / share, (new * mean - new_pull) / share
            precision[two] += message - down[at]
            pull[two] += message_pull - down_pull[at]
            down[at], down_pull[at] = message, message_pull
        if moved <= TOLERANCE:
            return


@jit
def _skills(n, means, variances, beta, own, precision, pull):
    """rating.tree.skill_after for each seat."""
    origin, noise = means[0], beta * beta
    for i in range(n):
        told = precision[i] - own[i]
        heard = pull[i] - precision[i] * (means[i] - origin)
        share = 1.0 + told * (variances[i] + noise)
        means[i] += variances[i] * heard / share
        variances[i] *= (1.0 + told * noise) / share
