"""Duels, draws included, by TrueSkill's closed form (Herbrich et al. 2006, section 3): the hot loop over many votes."""

import math
from collections.abc import Iterable

from rating.gaussian import FRACTION_FROM, PEAK, ROOT_HALF, draw_moments, win_moments

# From this margin on and up to so far out, both in sds, plain differences keep 12 digits of a draw's moments.
PLAIN_MARGIN = 0.05
PLAIN_GAP = 3.0


def rate_duels(
    mean: list[float],
    variance: list[float],
    duels: Iterable[tuple[int, int, bool, int]],
    margins: list[float],
    slopes: list[float],
    noise: float,
    drift: float,
    prior_draws: float,
    most: float,
) -> None:
    """Rate duels in their order; `mean`, `variance` (contestants), `margins` and `slopes` (polls) change in place.

    A duel is (winner, loser, drawn, poll) in places of these lists. `noise` is 2 beta^2; `drift`, tau^2, is added to
    both variances before each duel. Margins are learned as `rating.margins` tells, up to `most`, where `prior_draws`
    > 0 (a poll with margin 0 takes prior_draws / slope at its first draw), and stay as they are where it is 0.
    """
    exp, erfc, sqrt, peak, root_half = math.exp, math.erfc, math.sqrt, PEAK, ROOT_HALF
    for winner, loser, drawn, poll in duels:
        of_winner, of_loser = variance[winner] + drift, variance[loser] + drift
        spread = of_winner + of_loser + noise
        root = sqrt(spread)
        gap = mean[winner] - mean[loser]
        margin = margins[poll]
        if drawn and margin == 0.0 and prior_draws:
            margin = margins[poll] = prior_draws / slopes[poll]
        low = (gap - margin) / root
        density = peak * exp(-0.5 * low * low)
        below = 0.5 * erfc(-low * root_half)
        if prior_draws:
            trust = noise / spread
            trust *= trust
            if margin:
                high = (gap + margin) / root
                slope = slopes[poll] + trust * (density + peak * exp(-0.5 * high * high)) / root
                moved = margin + trust * (drawn - 0.5 * erfc(-high * root_half) + below) / slope
                margins[poll] = moved if moved < most else most
            else:
                slope = slopes[poll] + trust * 2.0 * density / root
            slopes[poll] = slope
        if not drawn:
            if low >= FRACTION_FROM:
                v = density / below
                w = v * (v + low)
            else:
                v, w = win_moments(low)
        else:
            v, w = _draw(gap / root, margin / root)
        step, shrink = v / root, w / spread
        mean[winner] += of_winner * step
        mean[loser] -= of_loser * step
        variance[winner] = of_winner * (1.0 - of_winner * shrink)
        variance[loser] = of_loser * (1.0 - of_loser * shrink)


def _draw(t: float, e: float) -> tuple[float, float]:
    """`draw_moments`, faster where plain differences do."""
    low, high = t - e, t + e
    if e < PLAIN_MARGIN or low < -PLAIN_GAP or high > PLAIN_GAP:
        return draw_moments(t, e)
    density = PEAK * math.exp(-0.5 * low * low)
    high_density = PEAK * math.exp(-0.5 * high * high)
    mass = 0.5 * (math.erfc(-high * ROOT_HALF) - math.erfc(-low * ROOT_HALF))
    v = (high_density - density) / mass
    return v, v * v + (high * high_density - low * density) / mass
