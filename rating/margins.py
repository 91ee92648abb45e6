"""The draw margin: how far apart two performances may be and still draw. Given, or learned from the votes of a poll.

Two contestants of equal skill draw with probability P(|N(0, 2 beta^2)| < margin), the draw probability.

Learned, it is the margin under which as many draws are expected as were seen. Every vote moves it by Newton's method,

    slope += trust dP/dmargin,    margin += trust ((1 if drawn else 0) - P) / slope,    trust = (2 beta^2 / c^2)^2,

where P is the probability of a draw under the margin and the beliefs before the vote and c^2 the variance of their
difference of performances; votes among contestants hardly known yet count little. It starts from a prior worth
PRIOR_VOTES votes at PRIOR_PROBABILITY. While draws are rare, so that P is linear in the margin, this is exactly
(prior draws + draws) / (sum of slopes), each vote by its trust. It takes two numbers a poll, so a log may be folded in
portions. A poll that never had a draw has margin 0; only its slope grows, and its first draw is rated with the margin
(prior draws) / slope.
"""

import math

from rating.gaussian import PEAK, ROOT_HALF, cdf, quantile

PRIOR_PROBABILITY = 0.10
PRIOR_VOTES = 10.0
# Nobody's polls draw more; without a bound a first few draws could carry the margin where P no longer has a slope.
MOST_PROBABILITY = 0.90


def margin_of(probability: float, beta: float) -> float:
    """The margin >= 0 at which equals draw with this probability, 0 <= probability < 1."""
    return quantile(0.5 * (1.0 + probability)) * math.sqrt(2.0) * beta if probability else 0.0


def probability_of(margin: float, beta: float) -> float:
    """How often equals draw under a margin >= 0."""
    return 1.0 - 2.0 * cdf(-margin / (math.sqrt(2.0) * beta))


def prior_slope(beta: float) -> float:
    """The slope that PRIOR_VOTES votes between equals known exactly would have given, at a small margin."""
    return PRIOR_VOTES * 2.0 * PEAK / (math.sqrt(2.0) * beta)


def learn_ranking(
    means: list[float], variances: list[float], ranks: list[int], noise: float, margin: float, slope: float, most: float
) -> tuple[float, float]:
    """(margin, slope) of a poll after a full ranking: every pair of its seats could have drawn.

    Neighbouring places alone would not do: they are near because they are neighbours. `noise` is 2 beta^2; a `margin`
    of 0 stays 0; `most` bounds it.
    """
    exp, erfc, sqrt, surprise, steepness = math.exp, math.erfc, math.sqrt, 0.0, 0.0
    for at, (mean, variance, rank) in enumerate(zip(means, variances, ranks, strict=True)):
        for below in range(at + 1, len(means)):
            spread = variance + variances[below] + noise
            root, trust, gap = sqrt(spread), noise / spread, mean - means[below]
            low, high = (gap - margin) / root, (gap + margin) / root
            trust *= trust
            steepness += trust * (exp(-0.5 * low * low) + exp(-0.5 * high * high)) / root
            surprise += trust * ((rank == ranks[below]) - 0.5 * (erfc(-high * ROOT_HALF) - erfc(-low * ROOT_HALF)))
    slope += PEAK * steepness
    # A step down of more than half could cross zero; a smaller one never does.
    return min(max(margin + surprise / slope, 0.5 * margin), most) if margin else 0.0, slope
