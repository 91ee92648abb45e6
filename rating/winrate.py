"""The share of comparisons won: no model, so no correction for who met whom (docs/winrate.md)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rating.covariance import Cluster, cluster_codes
from rating.system import Estimate, State
from rating.votes import PICK, Votes

# Half a win and half a loss beforehand: nobody is surely perfect after one vote (Jeffreys 1946).
PRIOR = 0.5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WinRateSystem:
    """Points per comparison, in percent: 1 for a win, half for a tie. A pick compares its winner with each loser.

    `value` is 100 (points + 1/2) / (comparisons + 1). The order of the votes has no influence, not even in the last
    bit: points are whole halves.
    """

    order_check: int = 0
    metric: str = field(default="winrate", init=False)

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"winrate/1 prior={PRIOR:g}"

    def start(self) -> State:
        """Nobody was compared yet."""
        return {"points": {}, "comparisons": {}}

    def fold(self, state: State, votes: Votes) -> State:
        """The sums after the votes."""
        points, comparisons = (column.sum(axis=0) for column in _of_each(votes, np.zeros(len(votes), np.intp), 1))
        total: State = {name: dict(kept) for name, kept in state.items()}
        for code in np.flatnonzero(comparisons):
            name = votes.contestants[code]
            total["points"][name] = total["points"].get(name, 0.0) + float(points[code])
            total["comparisons"][name] = total["comparisons"].get(name, 0.0) + float(comparisons[code])
        return {name: dict(sorted(sums.items())) for name, sums in total.items()}

    def standings(self, state: State) -> dict[str, Estimate]:
        """The share of each contestant."""
        return {
            name: Estimate(100.0 * (points + PRIOR) / (state["comparisons"][name] + 2.0 * PRIOR))
            for name, points in state["points"].items()
        }


def winrate_covariance(votes: Votes, cluster: Cluster = "voter") -> tuple[Floats, float]:
    """(n, n) the covariance of the values in percent^2, nan for those without a comparison; its degrees of freedom.

    The sandwich of a ratio of sums over clusters (Cochran 1977, Sampling Techniques, section 6.3): the sum over
    clusters of r r' with r = (points - share x comparisons) / all comparisons. "both" adds voters and prompts and takes
    away their intersection's, without its negative part. On the diagonal at least what independent comparisons with
    the prior have: one cluster alone shows no spread.
    """
    n = len(votes.contestants)
    totals = [column.sum(axis=0) for column in _of_each(votes, np.zeros(len(votes), np.intp), 1)]
    share = (totals[0] + PRIOR) / (totals[1] + 2.0 * PRIOR)
    matrix, dof = np.zeros((n, n)), np.inf
    for sign, codes in _clusterings(votes, cluster):
        points, comparisons = _of_each(votes, codes, int(codes.max(initial=-1)) + 1)
        residual = (points - share * comparisons) / (totals[1] + 2.0 * PRIOR)
        own, squares = residual**2, (residual**4).sum(axis=0)
        matrix += sign * residual.T @ residual
        known = squares > 0.0
        if sign > 0 and known.any():
            # How many clusters decide, as in rating.covariance: 3 is the kurtosis of a normal variable.
            dof = min(dof, float(np.median(3.0 * own.sum(axis=0)[known] ** 2 / squares[known])))
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0.0)) @ vectors.T
    least = share * (1.0 - share) / (totals[1] + 2.0 * PRIOR)
    matrix[np.diag_indices(n)] = np.maximum(np.diag(matrix), least)
    matrix[totals[1] == 0] = matrix[:, totals[1] == 0] = np.nan
    return 100.0**2 * matrix, max(dof, 2.0)


def _clusterings(votes: Votes, cluster: Cluster) -> list[tuple[float, NDArray[np.intp]]]:
    if cluster != "both":
        return [(1.0, cluster_codes(votes, cluster))]
    voter, prompt = cluster_codes(votes, "voter"), cluster_codes(votes, "prompt")
    shared = np.unique(voter * (prompt.max(initial=0) + 1) + prompt, return_inverse=True)[1]
    return [(1.0, voter), (1.0, prompt), (-1.0, shared)]


def _of_each(votes: Votes, group: NDArray[np.intp], groups: int) -> tuple[Floats, Floats]:
    """(groups, n) points and (groups, n) comparisons of each contestant in the counted votes of each group."""
    n = len(votes.contestants)
    points, comparisons = np.zeros(groups * n), np.zeros(groups * n)
    width, counted = votes.seats.shape[1], votes.counted
    for one in range(width):
        for other in range(width):
            if one == other:
                continue
            mine, theirs = votes.ranks[:, one], votes.ranks[:, other]
            met = counted & (votes.seats[:, one] >= 0) & (votes.seats[:, other] >= 0)
            met &= (votes.kinds != PICK) | (mine == 0) | (theirs == 0)
            key = group[met] * n + votes.seats[met, one]
            won = (mine[met] < theirs[met]) + 0.5 * (mine[met] == theirs[met])
            points += np.bincount(key, won, groups * n)
            comparisons += np.bincount(key, minlength=groups * n)
    return points.reshape(groups, n), comparisons.reshape(groups, n)
