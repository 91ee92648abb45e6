"""Figure 7: "both are bad" counted as a tie."""

from dataclasses import replace

import numpy as np

from rating.joint import fit_joint
from rating.votes import BAD, DRAW
from tests.figures.sources import arena_counts, genai_arena
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
        "images": images(),
    }


def images() -> dict:
    """The same on votes on images: what ties are, and what counting both bad among them does."""
    votes = genai_arena()
    n, bad, drawn = len(votes.contestants), votes.kinds == BAD, votes.kinds == DRAW
    ranks = np.where(bad[:, None], 0, votes.ranks).astype(np.int16)
    tied = fit_joint(replace(votes, kinds=np.where(bad, DRAW, votes.kinds).astype(np.int8), ranks=ranks))
    ours = fit_joint(votes)
    moved = (tied.estimate[:n] - ours.estimate[:n]) * ELO_POINTS
    most, least = int(moved.argmax()), int(moved.argmin())
    return {
        "votes": int(votes.counted.sum() + bad.sum()),
        "contestants": n,
        "tie_share": (drawn.sum() + bad.sum()) / (votes.counted.sum() + bad.sum()),
        "bad_of_ties": bad.sum() / (drawn.sum() + bad.sum()),
        "risen": votes.contestants[most],
        "rise": moved[most],
        "fallen": votes.contestants[least],
        "fall": -moved[least],
        "drawn_of_equals": [equals_draw(fit.estimate[fit.terms["tie:battle"]]) for fit in (ours, tied)],
    }


def equals_draw(log_nu: float) -> float:
    """How often equals draw by Davidson's law."""
    return float(np.exp(log_nu) / (2.0 + np.exp(log_nu)))
