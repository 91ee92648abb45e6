"""Figure 7: "both are bad" counted as a tie."""

import numpy as np

from rating.joint import fit_joint
from tests.figures.sources import arena_counts
from tests.figures.yardsticks import ELO_POINTS, places


def measure(_rng: np.random.Generator) -> dict:
    """Strengths from the arena's counts with both bad as ties and without it."""
    votes, counts = arena_counts()
    n = len(votes.contestants)
    bad = np.arange(len(votes)) % 4 == 3
    tied = fit_joint(votes, weights=counts, left_seat=False)
    ours = fit_joint(votes, weights=np.where(bad, 0.0, counts), left_seat=False)
    points, moved = ours.estimate[:n] * ELO_POINTS, (tied.estimate[:n] - ours.estimate[:n]) * ELO_POINTS
    ranks = places(ours.estimate[:n]), places(tied.estimate[:n])
    seen = np.zeros((2, n))
    for row, chosen in enumerate((bad, ~bad)):
        np.add.at(seen[row], votes.seats[chosen], counts[chosen, None])
    share = seen[0] / seen.sum(axis=0)
    order = np.argsort(-points)
    return {
        "votes": counts.sum(),
        "contestants": n,
        "bad_share": counts[bad].sum() / counts.sum(),
        "tie_share": counts[2::4].sum() / counts.sum(),
        "span": np.ptp(points),
        "span_tied": np.ptp(tied.estimate[:n]) * ELO_POINTS,
        "largest_move": np.abs(moved).max(),
        "rank_changes": int((ranks[0] != ranks[1]).sum()),
        "largest_rank_change": int(np.abs(ranks[0] - ranks[1]).max()),
        "least_bad": share.min(),
        "most_bad": share.max(),
        "rows": [
            {"name": votes.contestants[at], "points": points[at], "moved": moved[at], "bad": share[at]} for at in order
        ],
    }
