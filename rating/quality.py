"""What ratings say about a vote to come: how even it is and who wins."""

import math
from collections.abc import Sequence

from rating.gaussian import cdf

# (mu, sigma) of a contestant.
Rating = tuple[float, float]


def match_quality(ratings: Sequence[Rating], beta: float) -> float:
    """How even a vote among n >= 2 contestants is, in (0, 1]: the chance that all draw at a small margin, over that of
    equals known exactly (Herbrich et al. 2006, section 4).

    That is sqrt(|b A A'| / |A W A'|) exp(-d' (A W A')^-1 d / 2) for the n - 1 differences d = A mu, b = beta^2 and
    W = diag(b + sigma_i^2). With precisions w_i = 1 / (b + sigma_i^2) the quadratic form is the w-weighted sum of
    squares around the w-weighted mean, and |A W A'| = sum(w) / prod(w).
    """
    noise = beta * beta
    weights = [1.0 / (noise + sigma * sigma) for _, sigma in ratings]
    total = math.fsum(weights)
    mean = math.fsum(weight * mu for weight, (mu, _) in zip(weights, ratings, strict=True)) / total
    squares = math.fsum(weight * (mu - mean) ** 2 for weight, (mu, _) in zip(weights, ratings, strict=True))
    shares = math.prod(noise * weight for weight in weights) * len(ratings) / (noise * total)
    return math.sqrt(shares) * math.exp(-0.5 * squares)


def outcome_probabilities(first: Rating, second: Rating, beta: float, margin: float) -> tuple[float, float, float]:
    """P(the first wins), P(draw) and P(the second wins) a duel under a draw margin >= 0."""
    (mu, sigma), (other, spread) = first, second
    root = math.sqrt(2.0 * beta * beta + sigma * sigma + spread * spread)
    wins, loses = cdf((mu - other - margin) / root), cdf((other - mu - margin) / root)
    return wins, max(0.0, 1.0 - wins - loses), loses
