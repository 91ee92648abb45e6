"""Picking the best of several: the winner beats each loser, and nothing is said among the losers.

The factor graph is a star, hence a tree: performances at its nodes, one "winner's performance is greater" factor on
each arm. Handing such a vote to a ranking engine as ranks [0, 1, 1, 1] would instead claim that the losers drew.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rating.gaussian import Normal, win_moments

TOLERANCE = 1e-12
SWEEPS = 200


@dataclass(frozen=True)
class _Message:
    """A Gaussian factor by precision and precision times mean; (0, 0) says nothing."""

    precision: float = 0.0
    shift: float = 0.0

    def over(self, variance: float, mean: float) -> "_Message":
        """The message after adding an independent N(mean, variance) to its variable."""
        spread = 1.0 + self.precision * variance
        return _Message(self.precision / spread, (self.shift + self.precision * mean) / spread)

    def mirrored(self) -> "_Message":
        """The message about the variable's negative."""
        return _Message(self.precision, -self.shift)


def rate_pick(winner: Normal, losers: Sequence[Normal], beta: float) -> tuple[Normal, list[Normal]]:
    """Skills after the winner was picked before every loser (expectation propagation, to convergence).

    `winner` and `losers` are the skills before; `beta` is the sd of one performance around its skill. Losers are kept
    in their order, and their order has no influence on the result beyond rounding.
    """
    noise = beta * beta
    performances = [Normal(loser.mean, loser.variance + noise) for loser in losers]
    top = Normal(winner.mean, winner.variance + noise)
    factors = [_Message() for _ in losers]
    for _ in range(SWEEPS):
        before = factors
        for arm, loser in enumerate(performances):
            rival = _without(top, factors, performances, arm)
            factors = [*factors[:arm], _beats(rival, loser), *factors[arm + 1 :]]
        if _moved(before, factors) <= TOLERANCE:
            break
    to_winner = [factor.over(loser.variance, loser.mean) for factor, loser in zip(factors, performances, strict=True)]
    rated = []
    for arm, loser in enumerate(losers):
        rival = _without(top, factors, performances, arm)
        rated.append(_updated(loser, [factors[arm].mirrored().over(rival.variance, rival.mean)], noise))
    return _updated(winner, to_winner, noise), rated


def _without(top: Normal, factors: list[_Message], performances: list[Normal], arm: int) -> Normal:
    """The winner's performance as all arms but one see it."""
    others = [
        factor.over(loser.variance, loser.mean)
        for at, (factor, loser) in enumerate(zip(factors, performances, strict=True))
        if at != arm
    ]
    return _posterior(top, others)


def _beats(rival: Normal, loser: Normal) -> _Message:
    """The message about (winner - loser), given that it is positive."""
    variance = rival.variance + loser.variance
    scale = math.sqrt(variance)
    gap = rival.mean - loser.mean
    v, w = win_moments(gap / scale)
    left = variance * max(1.0 - w, 1e-15)
    return _Message(w / left, (scale * v + gap * w) / left)


def _posterior(prior: Normal, messages: list[_Message]) -> Normal:
    precision = 1.0 / prior.variance + math.fsum(message.precision for message in messages)
    shift = prior.mean / prior.variance + math.fsum(message.shift for message in messages)
    return Normal(shift / precision, 1.0 / precision)


def _updated(skill: Normal, messages: list[_Message], noise: float) -> Normal:
    """The skill, once the messages about its performance are taken through the performance noise."""
    precision = math.fsum(message.precision for message in messages)
    shift = math.fsum(message.shift for message in messages)
    return _posterior(skill, [_Message(precision, shift).over(noise, 0.0)])


def _moved(before: list[_Message], after: list[_Message]) -> float:
    return max(
        max(abs(old.precision - new.precision), abs(old.shift - new.shift))
        for old, new in zip(before, after, strict=True)
    )
