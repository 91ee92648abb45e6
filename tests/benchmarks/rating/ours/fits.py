"""The joint likelihood of all votes: Bradley-Terry with Davidson's draws, and Plackett-Luce."""

from rating.joint import fit_joint
from tests.benchmarks.rating.ours import arrays

PACKAGES = ("numpy", "scipy")


def bradley_terry(votes, size):
    votes = arrays.duels(votes, size)
    return lambda: fit_joint(votes, left_seat=False)


def plackett_luce(votes, size):
    votes = arrays.rankings(votes, size)
    return lambda: fit_joint(votes, left_seat=False)
