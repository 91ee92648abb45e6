"""Figure 4: dynamics noise on contestants that never change."""

import math

import numpy as np

from rating.simulation import PollRules, World, named, simulate
from rating.trueskill import TrueSkillSystem
from tests.figures.yardsticks import ELO_POINTS, rmse

MU, SIGMA, BETA = 25.0, 25.0 / 3.0, 25.0 / 6.0
TAU = SIGMA / 100.0  # the package's default
CONTESTANTS, WORLDS = 20, 8
SPREAD = BETA  # of the strengths: about 200 Elo points
VOTES = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
# The difference of two performances has sd sqrt(2) beta; a logistic one of sd 1.702 is a nat wide (Camilli 1994).
POINTS = 1.702 / (math.sqrt(2.0) * BETA) * ELO_POINTS


def measure(rng: np.random.Generator) -> dict:
    """Errors of the means, in units of mu, after so many duels, with and without tau."""
    runs = np.array([_run(rng) for _ in range(WORLDS)])
    errors, sds = runs.transpose(3, 2, 0, 1)
    means = np.sqrt((errors**2).mean(axis=1))
    return {
        "contestants": CONTESTANTS,
        "worlds": WORLDS,
        "votes": list(VOTES),
        "points": POINTS,
        "spread": POINTS * SPREAD,
        **{
            name: {
                "rmse": means[at],
                "in_points": POINTS * means[at],
                "claimed": np.sqrt((sds[at] ** 2).mean(axis=0)),
            }
            for at, name in enumerate(("default", "zero"))
        },
    }


def _run(rng: np.random.Generator) -> list[list[list[float]]]:
    """(checkpoints, 2 systems, 2) the error and the mean posterior sd in one world."""
    strengths = rng.normal(MU, SPREAD, CONTESTANTS)
    world = World(named(CONTESTANTS), strengths, (PollRules("duel"),), noise="normal", beta=BETA)
    votes = simulate(world, VOTES[-1], rng)
    systems = (TrueSkillSystem(tau=TAU), TrueSkillSystem(tau=0.0))
    states, start, found = [system.start() for system in systems], 0, []
    for upto in VOTES:
        part = votes.take(np.arange(start, upto))
        states = [system.fold(state, part) for system, state in zip(systems, states, strict=True)]
        standings = [system.standings(state) for system, state in zip(systems, states, strict=True)]
        found.append([_errors([found[name] for name in world.contestants], strengths) for found in standings])
        start = upto
    return found


def _errors(estimates: list, strengths: np.ndarray) -> list[float]:
    sds = np.array([estimate.sigma for estimate in estimates])
    return [rmse(np.array([estimate.mu for estimate in estimates]), strengths), float(np.sqrt((sds**2).mean()))]
