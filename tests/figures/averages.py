"""Figure 5: the last value of Elo, its time-weighted average, and the joint fit."""

import numpy as np

from rating.averages import WindowMean
from rating.elo import EloSystem
from rating.joint import fit_joint
from rating.simulation import PollRules, World, named, simulate
from tests.figures.sources import imagenhub, imagenhub_votes
from tests.figures.yardsticks import ELO_POINTS, kendall, rmse

CONTESTANTS, WORLDS, SD = 20, 10, 150.0
VOTES = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
REAL_VOTES, REAL_RUNS = 1600, 100
SYSTEM = EloSystem(k=32.0, average=WindowMean())


def measure(rng: np.random.Generator) -> dict:
    """Errors against the truth of simulated worlds; agreement with the mean worth on duels from real ratings."""
    errors = np.array([_run(rng) for _ in range(WORLDS)])
    last, average, joint = np.sqrt((errors**2).mean(axis=0)).T
    return {
        "contestants": CONTESTANTS,
        "worlds": WORLDS,
        "sd": SD,
        "votes": list(VOTES),
        "last": last,
        "average": average,
        "joint": joint,
        "real": _real(rng),
    }


def _run(rng: np.random.Generator) -> list[list[float]]:
    """(checkpoints, 3) the errors in points of one world."""
    truth = rng.normal(0.0, SD, CONTESTANTS)
    world = World(named(CONTESTANTS), truth / ELO_POINTS, (PollRules("duel"),))
    votes = simulate(world, VOTES[-1], rng)
    state, start, found = SYSTEM.start(), 0, []
    for upto in VOTES:
        state = SYSTEM.fold(state, votes.take(np.arange(start, upto)))
        standings = SYSTEM.standings(state)
        last, average = (np.array([getattr(standings[name], kind) for name in world.contestants]) for kind in KINDS)
        # A prior of 300 points keeps the first fits finite where somebody won every duel.
        joint = fit_joint(votes.take(np.arange(upto)), left_seat=False, ridge=300.0 / ELO_POINTS).estimate[:CONTESTANTS]
        found.append([rmse(last, truth), rmse(average, truth), rmse(joint * ELO_POINTS, truth)])
        start = upto
    return found


KINDS = ("value", "average")


def _real(rng: np.random.Generator) -> dict:
    names, worth = imagenhub()
    truth, found = worth.mean(axis=0), []
    for _ in range(REAL_RUNS):
        votes = imagenhub_votes(2, REAL_VOTES, rng)
        standings = SYSTEM.standings(SYSTEM.fold(SYSTEM.start(), votes))
        last, average = (np.array([getattr(standings[name], kind) for name in names]) for kind in KINDS)
        joint = fit_joint(votes).estimate[: len(names)]
        found.append([kendall(values, truth) for values in (last, average, joint)])
    last, average, joint = np.mean(found, axis=0)
    return {"votes": REAL_VOTES, "runs": REAL_RUNS, "last": last, "average": average, "joint": joint}
