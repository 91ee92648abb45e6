"""The fold of a board against the trueskill package called directly on the same duels."""

import random
from collections.abc import Callable

import trueskill

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import votes_of

VOTES = 500


def workers() -> tuple[Callable[[], object], Callable[[], object]]:
    """Both folds over the same 500 duels of 20 contestants."""
    rng = random.Random(0)
    duels = [(*rng.sample([f"c{n}" for n in range(20)], 2), rng.choice("12")) for _ in range(VOTES)]
    games = [Game((left, right), parse_outcome(outcome, 2), "duel") for left, right, outcome in duels]
    votes, system = votes_of(games), TrueSkillSystem()
    environment = trueskill.TrueSkill(tau=0, draw_probability=0)

    def theirs() -> object:
        ratings = {f"c{n}": environment.create_rating() for n in range(20)}
        for left, right, outcome in duels:
            winner, loser = (left, right) if outcome == "1" else (right, left)
            ratings[winner], ratings[loser] = environment.rate_1vs1(ratings[winner], ratings[loser])
        return ratings

    return lambda: system.fold(system.start(), votes), theirs
