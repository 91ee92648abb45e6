"""Votes for the tests of TrueSkill, and what it makes of them."""

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, votes_of

MU, SIGMA, BETA = 25.0, 25 / 3, 25 / 6


def game(seats: str, outcome: str, poll: str = "duel") -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), poll)


def rate(system: TrueSkillSystem, votes: Votes) -> dict[str, tuple[float, float]]:
    """(mu, sigma) by contestant."""
    standings = system.standings(system.fold(system.start(), votes))
    return {name: (one.mu or 0.0, one.sigma or 0.0) for name, one in standings.items()}


def fold(*games: Game, **constants: float) -> dict[str, tuple[float, float]]:
    return rate(TrueSkillSystem(**constants), votes_of(games))
