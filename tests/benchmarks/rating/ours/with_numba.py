"""Elo, TrueSkill and the Plackett-Luce fit compiled by numba."""

from rating.compiled import CompiledElo, CompiledJoint, CompiledTrueSkill
from rating.joint import fit_joint
from tests.benchmarks.rating.ours import arrays
from tests.benchmarks.rating.ours.sequential import fold

PACKAGES = ("numpy", "numba")
MILLION = 1_000_000


def elo(votes, size):
    """Without the time-weighted average, which no peer computes."""
    return fold(CompiledElo(average=None), arrays.duels(votes, MILLION), times=max(1, size // MILLION))


def elo_with_average(votes, size):
    return fold(CompiledElo(), arrays.duels(votes, MILLION), times=max(1, size // MILLION))


def trueskill_duels(votes, size):
    return fold(CompiledTrueSkill(), arrays.duels(votes, size))


def trueskill_rankings(votes, size):
    return fold(CompiledTrueSkill(), arrays.rankings(votes, size))


def plackett_luce(votes, size):
    votes, loops = arrays.rankings(votes, size), CompiledJoint()
    return lambda: fit_joint(votes, left_seat=False, loops=loops)
