"""TrueSkill (paper, section 5.3; Herbrich et al. 2006) for frozen checkpoints. docs/trueskill.md tells the choices.

The `trueskill` package rates duels, draws and full rankings in an environment of our own; picks of the best go through
`rating.star`, because the package can only read them as draws among the losers.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby, permutations, product
from statistics import NormalDist
from types import MappingProxyType

import trueskill

from rating.errors import GameError
from rating.game import Game
from rating.gaussian import Normal, cdf, pdf, win_moments
from rating.star import rate_pick
from rating.system import Estimate, State
from rating.votes import Votes

# 9 % of the image votes of GenAI-Arena are ties; 10 % is also TrueSkill's own default.
DRAW_PROBABILITY = 0.10
CONSERVATIVE_SIGMAS = 3.0
INTERVAL_SIGMAS = 1.96
MIN_DELTA = 1e-9


class _Environment(trueskill.TrueSkill):
    """The package with moments of a win that hold for any gap, where its own lose digits or raise."""

    def v_win(self, diff: float, draw_margin: float) -> float:
        return win_moments(diff - draw_margin)[0]

    def w_win(self, diff: float, draw_margin: float) -> float:
        return win_moments(diff - draw_margin)[1]


@dataclass(frozen=True)
class TrueSkillSystem:
    """TrueSkill with prior N(mu, sigma^2) and performance noise `beta`; without dynamics, as checkpoints are frozen.

    `draw_probability` holds, by poll, how often equal contestants draw; polls it does not name have no draws. A ranking
    with a tie in such a poll is rated with `tie_probability`, since under a margin of zero no tie could happen.
    """

    mu: float = 25.0
    sigma: float = 25.0 / 3.0
    beta: float = 25.0 / 6.0
    draw_probability: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"fixed": DRAW_PROBABILITY}))
    tie_probability: float = DRAW_PROBABILITY
    order_check: int = 0
    metric: str = "trueskill"

    @property
    def methodology(self) -> str:
        """Version and constants."""
        draws = ",".join(f"{poll}:{share:g}" for poll, share in sorted(self.draw_probability.items()))
        return f"trueskill/1 mu={self.mu:g} sigma={self.sigma:g} beta={self.beta:g} tau=0 draw={draws}"

    def start(self) -> State:
        """Nobody is rated yet."""
        return {"ratings": {}}

    def fold(self, state: State, votes: Votes) -> State:
        """The beliefs after the votes, in their order: [mu, sigma] a contestant.

        Raises GameError when a draw is so unlikely under the beliefs that its probability underflows.
        """
        ratings: dict[str, list[float]] = dict(state["ratings"])
        for game in votes.games():
            before = [Normal(mu, sigma * sigma) for mu, sigma in self._beliefs(ratings, game)]
            for (_, contestant), skill in zip(game.placed, self._rate(game, before), strict=True):
                ratings[contestant] = [skill.mean, math.sqrt(skill.variance)]
        return {"ratings": ratings}

    def standings(self, state: State) -> dict[str, Estimate]:
        """`value` is the conservative score mu - 3 sigma; `low` and `high` are mu -+ 1.96 sigma."""
        return {contestant: _estimate(float(mu), float(sigma)) for contestant, (mu, sigma) in state["ratings"].items()}

    def _beliefs(self, ratings: dict[str, list[float]], game: Game) -> Iterator[list[float]]:
        return (ratings.get(contestant, [self.mu, self.sigma]) for _, contestant in game.placed)

    def _rate(self, game: Game, skills: list[Normal]) -> list[Normal]:
        if game.is_pick and len(skills) > 2:
            winner, losers = rate_pick(skills[0], skills[1:], self.beta)
            return [winner, *losers]
        ranks = [rank for rank, _ in game.placed]
        tied = len(set(ranks)) < len(ranks)
        share = self.draw_probability.get(game.poll, 0.0) or (self.tie_probability if tied else 0.0)
        try:
            return _symmetric_chain(self._environment(share), skills, ranks)
        except FloatingPointError as error:
            raise GameError(f"a draw between {' and '.join(game.seats)} has no measurable probability") from error

    def _environment(self, draw_probability: float) -> _Environment:
        return _Environment(
            mu=self.mu,
            sigma=self.sigma,
            beta=self.beta,
            tau=0.0,
            draw_probability=draw_probability,
            backend=(cdf, pdf, NormalDist().inv_cdf),
        )


def _estimate(mu: float, sigma: float) -> Estimate:
    reach = INTERVAL_SIGMAS * sigma
    return Estimate(mu - CONSERVATIVE_SIGMAS * sigma, mu - reach, mu + reach, mu, sigma)


def _symmetric_chain(environment: _Environment, skills: list[Normal], ranks: list[int]) -> list[Normal]:
    """The package's posterior, averaged over every order in which tied seats could stand in its chain.

    The package compares neighbours only, so the middle one of three tied seats would come out surer than its equals.
    Means and variances are averaged. `skills` and `ranks` are sorted by rank.
    """
    rated = [_chain(environment, skills, ranks, order) for order in _arrangements(ranks)]
    return [
        Normal(
            math.fsum(skill.mean for skill in versions) / len(versions),
            math.fsum(skill.variance for skill in versions) / len(versions),
        )
        for versions in zip(*rated, strict=True)
    ]


def _arrangements(ranks: list[int]) -> Iterator[tuple[int, ...]]:
    tiers = [list(tier) for _, tier in groupby(range(len(ranks)), key=ranks.__getitem__)]
    for orders in product(*(permutations(tier) for tier in tiers)):
        yield tuple(chain.from_iterable(orders))


def _chain(environment: _Environment, skills: list[Normal], ranks: list[int], order: tuple[int, ...]) -> list[Normal]:
    groups = [(trueskill.Rating(skills[at].mean, math.sqrt(skills[at].variance)),) for at in order]
    rated = environment.rate(groups, ranks=ranks, min_delta=MIN_DELTA)
    posterior = {at: Normal(rating.mu, rating.sigma * rating.sigma) for at, (rating,) in zip(order, rated, strict=True)}
    return [posterior[at] for at in range(len(order))]
