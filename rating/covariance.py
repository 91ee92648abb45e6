"""The covariance of the joint fit's strengths when votes of one voter, or on one prompt, resemble each other.

Formulas, sources and measurements in docs/uncertainty.md. In short: the sandwich A (sum of d_c d_c') A over clusters c,
where A inverts the information and d_c is the cluster's gradient, enlarged by what it pulls the estimate to itself, so
that A d_c is how far the estimate moves when the cluster is left out (jackknife; CR3 of Cameron and Miller 2015, VI.B).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.joint import JointFit
from rating.votes import NOBODY, Votes

Cluster = Literal["none", "voter", "prompt", "both"]
Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

HEAVY = 0.1  # leverage from which a cluster's share is solved exactly; below, the next term is under 1 %
RIDGE = 1e-3  # share of the information added, for directions that only one cluster knows about
FEWEST_CLUSTERS = 3.0  # with fewer effective clusters behind a contestant their differences say nothing
FEWEST_DOF = 2.0


@dataclass(frozen=True, eq=False)
class ClusteredCovariance:
    """`matrix` (n, n) of theta in nat^2, in the mean-zero gauge, nan for those that took no part.

    `dof` >= 2 are the degrees of freedom for t quantiles: the effective number of clusters.
    """

    matrix: Floats
    dof: float


@dataclass(frozen=True, eq=False)
class _Gradients:
    """Of each counted vote: up to K entries (V, K) by parameter and value, value 0 beyond the entries a vote has."""

    vote: Codes
    parameter: Codes
    value: Floats

    def take(self, rows: NDArray[np.bool_]) -> "_Gradients":
        return _Gradients(self.vote[rows], self.parameter[rows], self.value[rows])

    def summed(self, group: Codes, groups: int, p: int, weight: Floats) -> Floats:
        """(groups, p) the gradients' sums over groups, each gradient times its weight."""
        key = group[:, None] * p + self.parameter
        return _binned(key, self.value * weight[:, None], groups * p).reshape(groups, p)

    def outer(self, group: Codes, groups: int, p: int, weight: Floats) -> Floats:
        """(groups, p, p) the sums of their outer products."""
        total = np.zeros(groups * p * p)
        for one in range(self.value.shape[1]):
            key = (group * p + self.parameter[:, one])[:, None] * p + self.parameter[:, one:]
            total += _binned(key, (self.value[:, one] * weight)[:, None] * self._later(one), len(total))
        halves = total.reshape(groups, p, p)
        return (halves + halves.transpose(0, 2, 1)) / 2.0

    def form(self, matrix: Floats) -> Floats:
        """(V,) the quadratic form of each gradient; the matrix (p, p) is symmetric."""
        total = np.zeros(len(self.vote))
        for one in range(self.value.shape[1]):
            row = matrix[self.parameter[:, one, None], self.parameter[:, one:]]
            total += self.value[:, one] * np.einsum("ij,ij->i", row, self._later(one))
        return total

    def _later(self, one: int) -> Floats:
        """The entries from one on; those after it count for both orders of a product."""
        return self.value[:, one:] * np.append(1.0, np.full(self.value.shape[1] - one - 1, 2.0))


def clustered_covariance(fit: JointFit, votes: Votes, cluster: Cluster = "voter") -> ClusteredCovariance:
    """The covariance of theta that allows for dependence within voters, prompts or both.

    `votes` are those of the fit. "none" takes every vote as independent (the vote-level sandwich). "both" is
    V_voter + V_prompt - V_voter-and-prompt without its negative part (Cameron, Gelbach and Miller 2011, section 2.3).
    A vote whose voter (prompt) is unknown is a cluster of its own. Where fewer than three effective clusters stand
    behind a contestant, the model-based variance is added: their differences alone would make it look certain.
    """
    gradients = _gradients(fit, votes)
    inverse, n = fit.covariance(), len(fit.contestants)
    rivalry = _outer_inverse(gradients, inverse)
    matrix, dof = np.zeros_like(inverse), np.inf
    for sign, codes in _clusterings(votes, cluster):
        meat, own_dof = _meat(gradients, codes[gradients.vote], inverse, rivalry)
        matrix += sign * meat
        dof = min(dof, own_dof)
    if cluster == "both":
        values, vectors = np.linalg.eigh(matrix)
        matrix = (vectors * np.maximum(values, 0.0)) @ vectors.T
    matrix = matrix[:n, :n]
    matrix[~fit.took_part] = matrix[:, ~fit.took_part] = np.nan
    return ClusteredCovariance(matrix, max(dof, FEWEST_DOF))


def cluster_codes(votes: Votes, cluster: Literal["none", "voter", "prompt"]) -> Codes:
    """(N,) the cluster of each vote, from 0 without gaps; votes of an unknown voter or prompt each have their own."""
    own = np.arange(len(votes))
    if cluster == "none":
        return own
    known = votes.voter if cluster == "voter" else votes.prompt
    return _renumbered(np.where(known == NOBODY, own + known.max(initial=0) + 1, known))


def _clusterings(votes: Votes, cluster: Cluster) -> list[tuple[float, Codes]]:
    if cluster != "both":
        return [(1.0, cluster_codes(votes, cluster))]
    voter, prompt = cluster_codes(votes, "voter"), cluster_codes(votes, "prompt")
    shared = _renumbered(voter * (prompt.max(initial=0) + 1) + prompt)
    return [(1.0, voter), (1.0, prompt), (-1.0, shared)]


def _renumbered(codes: Codes) -> Codes:
    """The codes without gaps, in the same order."""
    if codes.max(initial=0) > 4 * len(codes):
        return np.unique(codes, return_inverse=True)[1]
    return (np.cumsum(np.bincount(codes) > 0) - 1)[codes]


def _gradients(fit: JointFit, votes: Votes) -> _Gradients:
    scores = fit.scores(votes)
    order = np.argsort(scores.vote, kind="stable")
    counts = np.bincount(scores.vote)
    vote = np.flatnonzero(counts)
    counts = counts[vote]
    filled = np.arange(counts.max(initial=0)) < counts[:, None]
    parameter, value = np.zeros(filled.shape, np.intp), np.zeros(filled.shape)
    parameter[filled], value[filled] = scores.parameter[order], scores.value[order]
    return _Gradients(vote, parameter, value)


def _outer_inverse(gradients: _Gradients, inverse: Floats) -> Floats:
    """(p, p) the inverse of the sum of the gradients' outer products, in the gauge of `inverse`.

    That sum is an estimate of the information (Berndt, Hall, Hall and Hausman 1974) to which each cluster contributes
    a part no greater than the whole; this keeps leverages below 1.
    """
    p = len(inverse)
    nobody, everything = np.zeros(len(gradients.vote), np.intp), np.ones(len(gradients.vote))
    information = gradients.outer(nobody, 1, p, everything)[0]
    values, vectors = np.linalg.eigh(inverse)
    kept = values > 1e-12 * values[-1]
    root = vectors[:, kept] * np.sqrt(values[kept])
    return root @ np.linalg.inv(root.T @ information @ root + RIDGE * np.eye(kept.sum())) @ root.T


def _meat(gradients: _Gradients, cluster: Codes, inverse: Floats, rivalry: Floats) -> tuple[Floats, float]:
    """(p, p) the covariance and its degrees of freedom for one way of clustering.

    The degrees of freedom are the effective number of clusters: by their leverage, as if votes were independent, or by
    how far each moved the estimate, which counts the few whose taste decides; the smaller one. The squared moves of
    equal clusters in D dimensions scatter as chi-squared, hence 1 + 2 / D.
    A vote alone in its cluster needs no sums: its gradient grows by 1 / (1 - leverage) (Sherman and Morrison 1950).
    """
    p = len(inverse)
    cluster = _renumbered(cluster)
    leverage = gradients.form(rivalry)
    expected = _binned(cluster, leverage, cluster.max() + 1)
    alone = np.bincount(cluster)[cluster] == 1
    singles = gradients.take(alone)
    pull = 1.0 / (1.0 - leverage[alone]) ** 2
    meat = singles.outer(np.zeros(len(pull), np.intp), 1, p, pull)[0]
    spread = np.stack([_binned(singles.parameter, singles.value**power, p) for power in (2, 4)])
    moves = leverage[alone] * pull
    if not alone.all():
        groups = gradients.take(~alone)
        group = _renumbered(cluster[~alone])
        moved = _pulled(groups, group, _binned(group, leverage[~alone], group.max() + 1), rivalry)
        meat += moved.T @ moved
        own = _binned(group[:, None] * p + groups.parameter, groups.value**2, len(moved) * p).reshape(-1, p)
        spread += np.stack([own.sum(axis=0), (own**2).sum(axis=0)])
        moves = np.append(moves, np.einsum("ij,ij->i", moved @ inverse, moved))
    covariance = inverse @ meat @ inverse
    few = spread[0] ** 2 < FEWEST_CLUSTERS * spread[1]
    covariance[np.ix_(few, few)] += inverse[np.ix_(few, few)]
    dimensions = float(np.linalg.matrix_rank(inverse))
    return covariance, min(_effective(expected), _effective(moves) * (1.0 + 2.0 / dimensions))


def _effective(shares: Floats) -> float:
    """How many equal shares would weigh as these do (Satterthwaite 1946)."""
    return float(shares.sum() ** 2 / (shares**2).sum())


def _pulled(gradients: _Gradients, group: Codes, leverage: Floats, rivalry: Floats) -> Floats:
    """(groups, p) the solutions d of (1 - B_c Q) d = g_c: B_c is the cluster's information, Q the inverse of all."""
    p, groups = len(rivalry), len(leverage)
    plain = gradients.summed(group, groups, p, np.ones(len(group)))
    along = np.einsum("ij,ij->i", gradients.value, (plain @ rivalry)[group[:, None], gradients.parameter])
    moved = plain + gradients.summed(group, groups, p, along)
    heavy = leverage > HEAVY
    rows = heavy[group]
    number = np.cumsum(heavy) - 1
    own = gradients.take(rows).outer(number[group[rows]], int(heavy.sum()), p, np.ones(int(rows.sum())))
    moved[heavy] = np.linalg.solve(np.eye(p) - own @ rivalry, plain[heavy, :, None])[..., 0]
    return moved


def _binned(key: Codes, value: Floats, size: int) -> Floats:
    """(size,) the sums of values by key."""
    # The product keeps floats where there is nothing to count.
    return np.bincount(key.ravel(), value.ravel(), size).astype(np.float64)
