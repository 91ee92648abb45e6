"""Worlds with careless voters among honest ones, for the tests of screening."""

from dataclasses import replace

import numpy as np

from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes

CONTESTANTS = 6
VOTERS = 60
CARELESS = 6
VOTES_EACH = 100
RUNS = ["first"] * 3 + ["second"] * 3


def world(seats: int, taste: float) -> World:
    """Contestants 0.3 nat apart, voters of differing taste, prompts that suit some, and a seat that is liked more."""
    rules = PollRules("poll", seats=seats, answer="duel" if seats == 2 else "pick", left=0.13)
    strengths = -0.3 * np.arange(CONTESTANTS)
    names = named(CONTESTANTS)
    return World(names, strengths, (rules,), voters=VOTERS, taste=taste, activity=np.inf, prompts=60, effect=0.3)


def votes_with(careless: str, rng: np.random.Generator, seats: int = 2, taste: float = 0.3) -> Votes:
    """A tenth of the voters answers at random ("random"), takes the first seat ("left"), or picks the second best
    contestant wherever it is shown ("fan"); "nobody" is careless in the world of that name.
    """
    votes = simulate(world(seats, taste), VOTERS * VOTES_EACH, rng)
    if careless == "nobody":
        return votes
    theirs = votes.voter < CARELESS
    favourite = votes.seats == 1
    picks = {
        "random": rng.integers(votes.sizes),
        "left": np.zeros(len(votes), dtype=int),
        "fan": np.where(favourite.any(axis=1), favourite.argmax(axis=1), (votes.ranks == 0).argmax(axis=1)),
    }
    ranks = votes.ranks.copy()
    ranks[theirs] = np.arange(ranks.shape[1]) != picks[careless][theirs, None]
    return replace(votes, ranks=ranks)
