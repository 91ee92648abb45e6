"""Figure 1: the same votes in 200 random orders."""

import numpy as np

from rating.elo import EloSystem
from rating.joint import fit_joint
from tests.figures.sources import llmfao
from tests.figures.yardsticks import ELO_POINTS, kendall, places

ORDERS = 200
FITS = 20  # the joint fit moves by rounding only, so fewer orders show it
SHOWN = 20


def measure(rng: np.random.Generator) -> dict:
    """Elo's spread over the orders, and that of the joint fit."""
    votes = llmfao()
    n = len(votes.contestants)
    system = EloSystem(k=32.0)
    ratings, fits = np.empty((ORDERS, n)), np.empty((FITS, n))
    for at in range(ORDERS):
        shuffled = votes.take(rng.permutation(len(votes)))
        standings = system.standings(system.fold(system.start(), shuffled))
        ratings[at] = [standings[name].value for name in votes.contestants]
        if at < FITS:
            fits[at] = fit_joint(shuffled).estimate[:n] * ELO_POINTS
    ranks, joint = places(ratings), places(fits[0])
    leads = np.bincount(ratings.argmax(axis=1), minlength=n) / ORDERS
    low, middle, high = np.quantile(ranks, (0.025, 0.5, 0.975), axis=0)
    shown = np.argsort(joint)[:SHOWN]
    return {
        "votes": len(votes),
        "contestants": n,
        "orders": ORDERS,
        "fits": FITS,
        "sd": ratings.std(axis=0, ddof=1).mean(),
        "spread": np.ptp(ratings, axis=0).max(),
        "leaders": int((leads > 0).sum()),
        "top_share": leads.max(),
        "rank_range": (high - low).mean(),
        "kendall": np.mean([kendall(one, two) for one, two in ratings.reshape(-1, 2, n)]),
        "joint_moves": np.ptp(fits, axis=0).max(),
        "rows": [
            {"name": votes.contestants[at], "joint": joint[at], "low": low[at], "high": high[at], "middle": middle[at],
             "leads": leads[at]}
            for at in shown
        ],
    }  # fmt: skip
