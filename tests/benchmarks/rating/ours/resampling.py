"""Resampled Bradley-Terry fits, the fit of all votes included."""

import numpy as np

from rating.bootstrap import bootstrap as resample
from rating.joint import fit_joint
from tests.benchmarks.rating.ours import arrays

PACKAGES = ("numpy", "scipy")


def bootstrap(votes, size):
    """`size` resamples of 100,000 votes."""
    votes = arrays.duels(votes, 100_000)

    def work():
        fit = fit_joint(votes, left_seat=False)
        resample(fit, votes, by="vote", resamples=size, rng=np.random.default_rng(0))

    return work
