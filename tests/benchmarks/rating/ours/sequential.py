"""Elo and TrueSkill in pure Python."""

from rating.elo import EloSystem
from rating.trueskill import TrueSkillSystem
from tests.benchmarks.rating.ours import arrays

PACKAGES = ("numpy",)


def elo(votes, size):
    """Without the time-weighted average, which no peer computes."""
    return fold(EloSystem(average=None), arrays.duels(votes, size))


def elo_with_average(votes, size):
    return fold(EloSystem(), arrays.duels(votes, size))


def trueskill_duels(votes, size):
    return fold(TrueSkillSystem(), arrays.duels(votes, size))


def trueskill_rankings(votes, size):
    return fold(TrueSkillSystem(), arrays.rankings(votes, size))


def fold(system, votes, times=1):
    """Fold the votes, `times` over."""

    def work():
        state = system.start()
        for _ in range(times):
            state = system.fold(state, votes)

    return work
