"""Figure 6: a list of ranks against what the votes can tell apart."""

from itertools import pairwise

import numpy as np

from rating.covariance import clustered_covariance
from rating.joint import fit_joint
from rating.ranks import best_probability, rank_ranges, separations
from tests.figures.sources import llmfao
from tests.figures.yardsticks import pairs, places


def measure(rng: np.random.Generator) -> dict:
    """Rank ranges, tiers and chances to be best on llmfao, votes of a voter taken together."""
    votes = llmfao()
    n = len(votes.contestants)
    fit = fit_joint(votes)
    strengths, covariance = fit.estimate[:n], clustered_covariance(fit, votes, "voter")
    ranges = rank_ranges(strengths, covariance.matrix, dof=covariance.dof, rng=rng)
    separated = separations(strengths, covariance.matrix, dof=covariance.dof, rng=rng)
    best = best_probability(strengths, covariance.matrix, dof=covariance.dof, rng=rng)
    order = np.argsort(places(strengths))
    neighbours = [separated[one, two] for one, two in pairwise(order)]
    return {
        "contestants": n,
        "neighbouring_pairs": n - 1,
        "places": (ranges.high - ranges.low + 1).mean(),
        "tiers": int(ranges.tier.max()),
        "maybe_first": int((ranges.low == 1).sum()),
        "separated_neighbours": int(np.sum(neighbours)),
        "pairs": n * (n - 1) // 2,
        "separated": pairs(separated | separated.T).mean(),
        "first_best": best[order[0]],
        "rows": [
            {"name": votes.contestants[at], "low": ranges.low[at], "high": ranges.high[at], "tier": ranges.tier[at]}
            for at in order
        ],
    }
