"""Strengths that walk over 100 days, all at once."""

from rating.history import fit_history
from tests.benchmarks.rating.ours import arrays

PACKAGES = ("numpy",)


def history(votes, size):
    votes = arrays.duels(votes, size)
    return lambda: fit_history(votes, slices=100, gamma=0.036)
