"""The choice of the next matchup among 100 contestants."""

import statistics
import time

import numpy as np

from rating.matchmaking import Posterior, Question, choose

PACKAGES = ("numpy",)


def choice(votes, size):
    """Milliseconds of one choice, the median of 50."""
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(100, 200))
    posterior = Posterior(rng.normal(size=100), factors @ factors.T / 4000.0)

    def work():
        spent = []
        for _ in range(50):
            start = time.perf_counter()
            choose(posterior, Question(), rng=rng)
            spent.append(time.perf_counter() - start)
        return statistics.median(spent) * 1e3

    return work
