"""Worlds for the tests of TrueSkill 2: polls whose skills are correlated, runs whose epochs walk."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.trueskill2 import Lineage, TrueSkill2Fit
from rating.votes import Votes

Array = NDArray[np.float64]


def vote(poll: str, seats: str, outcome: str) -> Game:
    names = tuple(seats.split())
    return Game(names, parse_outcome(outcome, len(names)), poll)


def stacked(parts: list[Votes]) -> Votes:
    """Votes of one poll each, on as many seats, as votes of as many polls."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("seats", "ranks", "kinds", "prompt", "voter", "times")
    }
    poll = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)
    return replace(parts[0], polls=tuple(part.polls[0] for part in parts), poll=poll, **joined)


POLLS = (PollRules("dense"), PollRules("middle", answer="draws", tie=0.3), PollRules("sparse"))


def mode_world(seed: int, rho: float, counts: tuple[int, int, int], n: int = 16) -> tuple[Votes, Array]:
    """Votes in three polls and the true skills (3, n), sd 0.8, correlated by rho."""
    rng = np.random.default_rng(seed)
    covariance = 0.64 * (rho + (1 - rho) * np.eye(3))
    skills = rng.multivariate_normal(np.zeros(3), covariance, n).T
    parts = [
        simulate(World(named(n), own, (rules,)), count, rng)
        for own, rules, count in zip(skills, POLLS, counts, strict=True)
    ]
    return stacked(parts), skills


def rmse(fit: TrueSkill2Fit, skills: Array, poll: int = 0) -> float:
    """Of the differences from the mean: no vote bears on the mean."""
    error = fit.skills[poll] - skills[poll]
    return float(np.std(error))


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(float(np.mean(np.log(ratios))))


def run_world(seed: int, gamma: float, count: int) -> tuple[Votes, Array, Lineage]:
    """Three runs of 8 epochs that walk by gamma, and 4 contestants on their own; `count` duels in one poll."""
    rng = np.random.default_rng(seed)
    starts = rng.normal(0, 0.8, (3, 1))
    runs = starts + np.cumsum(np.hstack([np.zeros((3, 1)), rng.normal(0, gamma, (3, 7))]), axis=1)
    skills = np.concatenate([runs.ravel(), rng.normal(0, 0.8, 4)])
    names = named(len(skills))
    votes = simulate(World(names, skills), count, rng)
    return votes, skills, {names[at]: (f"run {at // 8}", at % 8) for at in range(24)}
