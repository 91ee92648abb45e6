"""Votes for the tests of the joint fit, and its likelihood written out by hand."""

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rating.game import Game
from rating.joint import JointFit
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.stages import Ties
from rating.votes import Votes, votes_of

Floats = NDArray[np.float64]


POLLS = (
    PollRules("duel", 2, "duel", left=-0.1),
    PollRules("ffa", 4, "pick", left=0.3),
    PollRules("fixed", 2, "draws", tie=0.5, left=0.2),
    PollRules("order", 4, "ranking", tie=0.3, larger_ties=(0.2,), left=0.1),
)


LAWS: tuple[Ties, ...] = ("davidson", "rao-kupper", "half")


def mixed(votes: int = 900, n: int = 5, seed: int = 1, polls: tuple[PollRules, ...] = POLLS) -> Votes:
    """Votes of four kinds of polls, with ties of two and three."""
    return simulate(World(named(n), np.linspace(-1.0, 1.0, n), polls=polls), votes, np.random.default_rng(seed))


def games(*texts: str, poll: str = "fixed") -> Votes:
    """Votes written as "ab 1": seats by one letter each, then the outcome."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), poll) for seats, outcome in pairs])


def written_out(game: Game, value: Mapping[str, float], ties: Ties) -> float:
    """The log probability of one outcome, from the definition, by plain loops."""
    if len(game.seats) == 2 and ties != "davidson":
        return duel_written_out(game, value, ties)
    left = value.get(f"left:{game.poll}", 0.0)
    utility = {name: value[name] + left * (name == game.seats[0]) for name in game.seats}
    sizes = {1: 0.0}
    for t in range(2, len(game.seats) + 1):
        name = f"tie{'' if t == 2 else t}:{game.poll}"
        if name in value and (not game.is_pick or len(game.seats) == 2):
            sizes[t] = value[name]
    total, ranks = 0.0, dict(zip(game.seats, game.outcome.ranks, strict=True))
    for rank in [0] if game.is_pick else sorted(set(game.outcome.ranks)):
        available = [name for name in game.seats if ranks[name] >= rank]
        weights = {
            chosen: math.exp(sum(utility[name] for name in chosen) / t + log_nu)
            for t, log_nu in sizes.items()
            for chosen in combinations(available, t)
        }
        chosen = tuple(name for name in available if ranks[name] == rank)
        total += math.log(weights[chosen] / sum(weights.values()))
    return total


def duel_written_out(game: Game, value: Mapping[str, float], ties: Ties) -> float:
    """Rao and Kupper (1967), equations 2.5; or half a win each."""
    one, other = game.seats
    a, b = math.exp(value[one] + value.get(f"left:{game.poll}", 0.0)), math.exp(value[other])
    if ties == "half":
        wins = [math.log(a / (a + b)), math.log(b / (a + b))]
        return sum(wins) / 2 if game.outcome.kind == "draw" else wins[game.outcome.ranks.index(0)]
    nu = math.exp(value.get(f"margin:{game.poll}", 0.0))
    if game.outcome.kind == "draw":
        return math.log(a * b * (nu * nu - 1) / ((a + nu * b) * (nu * a + b)))
    return math.log((a / (a + nu * b), b / (nu * a + b))[game.outcome.ranks.index(0)])


def total_written_out(votes: Votes, fit: JointFit, at: Floats) -> float:
    value = dict(zip(fit.parameters, at.tolist(), strict=True))
    return sum(written_out(game, value, fit.ties) for game in votes.games())


def bits(fit: JointFit) -> tuple[bytes, bytes, float]:
    return fit.estimate.tobytes(), fit.information.tobytes(), fit.log_likelihood


def joined(*parts: Votes) -> Votes:
    return votes_of([game for part in parts for game in part.games()])
