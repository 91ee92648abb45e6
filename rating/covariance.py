"""The covariance of the joint fit's strengths when votes of one voter, or on one prompt, resemble each other.

Formulas, sources and measurements in docs/uncertainty.md. In short: the sandwich A (sum of d_c d_c') A over clusters c,
where A inverts the information and d_c is the cluster's gradient, enlarged by what it pulls the estimate to itself, so
that A d_c is how far the estimate moves when the cluster is left out (jackknife; CR3 of Cameron and Miller 2015, VI.B).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.distinct import equal_duels
from rating.joint import JointFit
from rating.votes import NOBODY, Votes

Cluster = Literal["none", "voter", "prompt", "both"]
Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

HEAVY = 0.1  # leverage from which a cluster's share is solved exactly; below, the next term is under 1 %
RIDGE = 1e-3  # share of the information added, for directions that only one cluster knows about
MOST_LEVERAGE = 0.5  # beyond it a cluster cannot be left out
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
    """Of V distinct votes, each cast `times` (V,): up to K entries (V, K) by parameter and value, value 0 beyond the
    entries a vote has. Sums are over all votes cast.
    """

    vote: Codes
    parameter: Codes
    value: Floats
    times: Floats

    def take(self, rows: NDArray[np.bool_]) -> "_Gradients":
        return _Gradients(self.vote[rows], self.parameter[rows], self.value[rows], self.times[rows])

    def summed(self, group: Codes, groups: int, p: int, weight: Floats, power: int = 1) -> Floats:
        """(groups, p) the sums of the gradients' powers over groups, each times its weight."""
        key = group[:, None] * p + self.parameter
        return _binned(key, self.value**power * (weight * self.times)[:, None], groups * p).reshape(groups, p)

    def outer(self, group: Codes, groups: int, p: int, weight: Floats) -> Floats:
        """(groups, p, p) the sums of their outer products."""
        total, weight = np.zeros(groups * p * p), weight * self.times
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
    ways = [(sign, _labels(codes, votes.counted)) for sign, codes in _clusterings(votes, cluster)]
    places, times = equal_duels(votes, votes.counted, within=[labels for _, labels in ways])
    gradients = _gradients(fit, replace(votes, ids=(), extra={}).take(places), times)
    inverse, n = fit.covariance(), len(fit.contestants)
    root = _outer_root(gradients, inverse)
    weight = np.diag(fit.information)[:n] * fit.took_part
    matrix, dof = np.zeros_like(inverse), np.inf
    for sign, labels in ways:
        meat, own_dof = _meat(gradients, labels[places[gradients.vote]], inverse, root, weight)
        matrix += sign * meat
        dof = min(dof, own_dof)
    if cluster == "both":
        values, vectors = np.linalg.eigh(matrix)
        matrix = (vectors * np.maximum(values, 0.0)) @ vectors.T
    matrix = well_known_gauge(fit, matrix[:n, :n])
    matrix[~fit.took_part] = matrix[:, ~fit.took_part] = np.nan
    return ClusteredCovariance(matrix, max(dof, FEWEST_DOF))


def well_known_gauge(fit: JointFit, matrix: Floats) -> Floats:
    """(n, n) the covariance of theta less its mean weighted by information: differences stay as they are.

    With the plain mean, one newcomer of whom little is known would make every contestant look as uncertain.
    """
    n = len(fit.contestants)
    weight = np.diag(fit.information)[:n] * fit.took_part
    shift = np.eye(n) - weight / weight.sum()
    return np.asarray(shift @ matrix @ shift.T)


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


def _labels(codes: Codes, counted: NDArray[np.bool_]) -> Codes:
    """(N,) the clusters of more than one counted vote from 1 without gaps, 0 for a vote alone in its own."""
    several = np.bincount(codes[counted], minlength=codes.max(initial=0) + 1) > 1
    return np.asarray((np.cumsum(several) * several)[codes])


def _renumbered(codes: Codes) -> Codes:
    """The codes without gaps, in the same order."""
    if codes.max(initial=0) > 4 * len(codes):
        return np.unique(codes, return_inverse=True)[1]
    return (np.cumsum(np.bincount(codes) > 0) - 1)[codes]


def _gradients(fit: JointFit, votes: Votes, times: Floats) -> _Gradients:
    scores = fit.scores(votes)
    order = np.argsort(scores.vote, kind="stable")
    counts = np.bincount(scores.vote)
    vote = np.flatnonzero(counts)
    counts = counts[vote]
    filled = np.arange(counts.max(initial=0)) < counts[:, None]
    parameter, value = np.zeros(filled.shape, np.intp), np.zeros(filled.shape)
    parameter[filled], value[filled] = scores.parameter[order], scores.value[order]
    return _Gradients(vote, parameter, value, times[vote])


def _outer_root(gradients: _Gradients, inverse: Floats) -> Floats:
    """(p, r) R with R R' the inverse of the sum of the gradients' outer products, in the gauge of `inverse`.

    That sum is an estimate of the information (Berndt, Hall, Hall and Hausman 1974) to which each cluster contributes
    a part no greater than the whole; this keeps leverages below 1.
    """
    p = len(inverse)
    nobody, everything = np.zeros(len(gradients.vote), np.intp), np.ones(len(gradients.vote))
    information = gradients.outer(nobody, 1, p, everything)[0]
    values, vectors = np.linalg.eigh(inverse)
    kept = values > 1e-12 * values[-1]
    root = vectors[:, kept] * np.sqrt(values[kept])
    inside = np.linalg.inv(root.T @ information @ root + RIDGE * np.eye(kept.sum()))
    return np.asarray(root @ np.linalg.cholesky((inside + inside.T) / 2.0))


def _meat(gradients: _Gradients, labels: Codes, inverse: Floats, root: Floats, weight: Floats) -> tuple[Floats, float]:
    """(p, p) the covariance and its degrees of freedom for one way of clustering.

    A vote alone in its cluster (label 0) needs no sums: its gradient grows by 1 / (1 - leverage) (Sherman and Morrison
    1950).
    """
    p, rivalry = len(inverse), root @ root.T
    leverage = gradients.form(rivalry)
    alone = labels == 0
    singles, of_singles = gradients.take(alone), leverage[alone]
    together, ones = np.zeros(len(of_singles), np.intp), np.ones(len(of_singles))
    meat = singles.outer(together, 1, p, _growth(of_singles) ** 2)[0]
    spread = np.stack([singles.summed(together, 1, p, ones, power)[0] for power in (2, 4)])
    shares = np.array([(singles.times * of_singles**power).sum() for power in (1, 2)])
    moves = np.zeros((2, len(weight)))
    if not alone.all():
        groups = gradients.take(~alone)
        group = _renumbered(labels[~alone])
        expected = _binned(group, leverage[~alone] * groups.times, group.max() + 1)
        moved = _pulled(groups, group, expected, root)
        meat += moved.T @ moved
        own = groups.summed(group, len(moved), p, np.ones(len(group)), 2)
        spread += np.stack([own.sum(axis=0), (own**2).sum(axis=0)])
        shares += expected.sum(), (expected**2).sum()
        steps = (moved @ inverse)[:, : len(weight)]
        steps = steps - (steps @ weight / weight.sum())[:, None]
        moves = np.stack([(steps**2).sum(axis=0), (steps**4).sum(axis=0)])
    covariance = inverse @ meat @ inverse
    few = spread[0] ** 2 < FEWEST_CLUSTERS * spread[1]
    covariance[np.ix_(few, few)] += inverse[np.ix_(few, few)]
    return covariance, min(_effective(*shares), _typical(moves, weight))


def _effective(total: float, squares: float) -> float:
    """How many equal shares would weigh as these do, of a total and a sum of squares (Satterthwaite 1946)."""
    return float(total**2 / squares) if squares > 0.0 else FEWEST_DOF


def _typical(moves: Floats, weight: Floats) -> float:
    """The effective number of clusters behind a contestant by how far each moved it: the median over contestants.

    This counts the few voters whose taste decides, which leverage does not see. `moves` (2, n) sums second and fourth
    powers; the fourth power of a normal variable is 3 on average, hence the factor. inf without moves.
    """
    known = (weight > 0.0) & (moves[1] > 0.0)
    return float(np.median(3.0 * moves[0, known] ** 2 / moves[1, known])) if known.any() else np.inf


def _growth(leverage: Floats) -> Floats:
    """How many times further the estimate moves without a cluster than its gradient says.

    Bounded: a cluster on which a strength hangs alone (the only win of a newcomer) cannot be left out at all, and says
    nothing of how far.
    """
    return np.asarray(1.0 / (1.0 - np.minimum(leverage, MOST_LEVERAGE)))


def _pulled(gradients: _Gradients, group: Codes, leverage: Floats, root: Floats) -> Floats:
    """(groups, p) the solutions d of (1 - B_c Q) d = g_c: B_c is the cluster's information, Q the inverse of all.

    d is a weighted sum of the cluster's gradients. Light clusters take 1 + g'Q g_c, the next term of the series; heavy
    ones f(G Q G') 1 with f as in `_growth`, G the gradients of the cluster's votes.
    """
    p, groups = len(root), len(leverage)
    plain = gradients.summed(group, groups, p, np.ones(len(group)))
    along = (plain @ root @ root.T)[group[:, None], gradients.parameter]
    weight = 1.0 + np.einsum("ij,ij->i", gradients.value, along)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=groups))
    for heavy in np.flatnonzero(leverage > HEAVY):
        rows = order[ends[heavy - 1] if heavy else 0 : ends[heavy]]
        scaled = np.einsum("ij,ijr->ir", gradients.value[rows], root[gradients.parameter[rows]])
        weight[rows] = _exactly(scaled, np.sqrt(gradients.times[rows]))
    return gradients.summed(group, groups, p, weight)


def _exactly(scaled: Floats, root_times: Floats) -> Floats:
    """(k,) f(Z Z') 1 for Z (k, r), by the smaller of the two eigenvalue problems; a row counts root_times^2 times.

    Equal rows have equal results, so that one of them, times the root of their number, stands for all.
    """
    k, r = scaled.shape
    scaled = scaled * root_times[:, None]
    if k <= r:
        values, vectors = np.linalg.eigh(scaled @ scaled.T)
        return np.asarray(vectors @ (_growth(values) * (root_times @ vectors)) / root_times)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    values = np.maximum(values, 1e-15)
    along = scaled @ vectors
    return np.asarray(1.0 + along @ ((_growth(values) - 1.0) / values * (root_times @ along)) / root_times)


def _binned(key: Codes, value: Floats, size: int) -> Floats:
    """(size,) the sums of values by key."""
    # The product keeps floats where there is nothing to count.
    return np.bincount(key.ravel(), value.ravel(), size).astype(np.float64)
