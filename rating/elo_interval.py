"""How far Elo's last values are from the truth: noise that no number of votes removes, and a start not yet forgotten.

docs/elo.md derives the formulas. In short: one vote moves the ratings by K times a noisy gradient, so that with many
votes they wander around the truth with sd sqrt(K * 200 / ln 10 * (1 - 1 / n)), and what is left of the error of the
first ratings shrinks by e^-H, where H sums K ln 10 / 400 p (1 - p) over the pairs of the votes.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rating.covariance import Cluster, cluster_codes
from rating.elo import HALF_NAT, EloSystem, play
from rating.system import Report, State, folded, quiet
from rating.votes import PICK, Votes

REPLICATES = 100
# Pairs played in all replicates together: some 0.2 s.
PAIRS = 300_000
# Votes of a contestant below which its resampled votes may all say the same by chance.
FEW = 5
# Below this share of its first error forgotten, a direction is taken as one that no vote compares.
FORGOTTEN = 1e-9
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EloInterval:
    """In Elo points, for each of `votes.contestants`, nan for those that took no part in a counted vote.

    `value` (n,) is the last rating, `covariance` (n, n) that of its error, the mean of all ratings being given. `low`
    and `high` (n,) bound the 95 % interval value -+ 1.96 sd. `bias` (n,) estimates how much of the error is left of the
    start at one rating for all; the covariance contains it. `state` is the system's after all votes.
    """

    value: Floats
    low: Floats
    high: Floats
    covariance: Floats
    bias: Floats
    state: State


def elo_interval(
    system: EloSystem,
    votes: Votes,
    *,
    cluster: Cluster = "voter",
    rng: np.random.Generator,
    replicates: int = REPLICATES,
    pairs: int = PAIRS,
    report: Report = quiet,
) -> EloInterval:
    """The error of the last ratings, from `replicates` >= 2 random orders of resampled clusters of votes.

    Only the last votes are resampled, as many as `pairs` pairs in all replicates allow; the ratings before them enter
    with the variance of wandering ratings, as far as they are not forgotten since. "both" resamples voters and prompts:
    a vote counts the product of the times both were drawn (Owen and Eckles 2012, "Bootstrapping data arrays").
    `report` is told of votes and of replicates.
    """
    n, counted = len(votes.contestants), votes.counted
    seen = votes.seats[counted]
    took_part = np.bincount(seen[seen >= 0], minlength=n) > 0
    at = _split(votes, counted, replicates, pairs)
    head, tail = votes.span(0, at), votes.span(at, len(votes))
    state = folded(system, system.start(), head, report)
    started = np.array([state["ratings"].get(name, system.initial) for name in votes.contestants])
    before = np.array([name in state["ratings"] for name in votes.contestants])
    last = tail.take(tail.counted)
    ends = np.empty((replicates, n))
    for replicate in range(replicates):
        ends[replicate] = _replayed(started, last, system.k, cluster, rng)
        report("resampling votes", replicate + 1, replicates)
    state = system.fold(state, tail)
    centre = ends.mean(axis=0)
    kept = forgetting(centre, last, system.k)[0]
    old = kept @ _wandering(before, system.k) @ kept.T
    forgotten, undo = forgetting(centre, votes, system.k)
    bias = undo @ (centre - system.initial)
    noise = np.cov(ends, rowvar=False).reshape(n, n) + old + _of_the_few(seen, forgotten, system.k)
    covariance = noise + np.outer(bias, bias) + undo @ noise @ undo.T
    covariance[~took_part] = covariance[:, ~took_part] = np.nan
    value = np.array([state["ratings"].get(name, np.nan) for name in votes.contestants])
    reach = NormalDist().inv_cdf(0.975) * np.sqrt(np.diag(covariance))
    return EloInterval(value, value - reach, value + reach, covariance, np.where(took_part, bias, np.nan), state)


def stationary_sd(k: float, n: int) -> float:
    """The sd of the last rating of n equals after many votes without draws: sqrt(K * 200 / ln 10 * (1 - 1 / n))."""
    return math.sqrt(k / (4 * HALF_NAT) * (1 - 1 / n))


def forgetting(ratings: Floats, votes: Votes, k: float) -> tuple[Floats, Floats]:
    """(n, n) what share of an error at the start is left after the votes, e^-H, and (e^H - 1)^+ to undo it.

    The second one, times how far the ratings have come, is how far they still have to go.
    """
    n, sizes = len(ratings), votes.sizes
    pairs = np.zeros(n * n)
    for one in range(votes.seats.shape[1]):
        for other in range(one):
            met = votes.counted & (votes.seats[:, other] >= 0) & (votes.seats[:, one] >= 0)
            met &= (votes.kinds != PICK) | (votes.ranks[:, one] == 0) | (votes.ranks[:, other] == 0)
            key = votes.seats[met, one].astype(np.intp) * n + votes.seats[met, other]
            pairs += np.bincount(key, weights=1.0 / (sizes[met] - 1), minlength=n * n)
    met_often = pairs.reshape(n, n) + pairs.reshape(n, n).T
    slope = 1.0 / np.cosh(np.clip(HALF_NAT * (ratings[:, None] - ratings), -300, 300)) ** 2
    curvature = k * HALF_NAT / 2 * met_often * slope
    values, vectors = np.linalg.eigh(np.diag(curvature.sum(axis=1)) - curvature)
    undone = np.where(values > FORGOTTEN, 1.0 / np.expm1(np.clip(values, FORGOTTEN, 700.0)), 0.0)
    return (vectors * np.exp(-values)) @ vectors.T, (vectors * undone) @ vectors.T


def _of_the_few(seen: NDArray[np.int32], kept: Floats, k: float) -> Floats:
    """(n, n) the noise that votes have by formula, for contestants with so few that resampling them shows none.

    `seen` holds the seats of all counted votes, -1 where there is none.
    K 200 / ln 10 (1 - e^-2H) solves the Lyapunov equation of the updates up to now, as `stationary_sd` does for ever.
    """
    n = len(kept)
    few = np.bincount(seen[seen >= 0], minlength=n) < FEW
    return stationary_sd(k, 10**9) ** 2 * np.where(np.outer(few, few), np.eye(n) - kept @ kept, 0.0)


def _split(votes: Votes, counted: NDArray[np.bool_], replicates: int, pairs: int) -> int:
    """The place of the first vote to resample: at most `pairs` / `replicates` pairs from there, one vote at least."""
    sizes = votes.sizes
    compared = np.where(votes.kinds == PICK, sizes - 1, sizes * (sizes - 1) // 2) * counted
    behind = np.cumsum(compared[::-1])[::-1]
    last = int(np.flatnonzero(counted)[-1]) if counted.any() else 0
    return min(int(np.count_nonzero(behind > pairs // replicates)), last)


def _replayed(started: Floats, votes: Votes, k: float, cluster: Cluster, rng: np.random.Generator) -> Floats:
    """The ratings after the votes of resampled clusters in random order."""
    ratings = started.tolist()
    chosen = rng.permutation(np.repeat(np.arange(len(votes)), _drawn(votes, cluster, rng)))
    if len(chosen):
        play(ratings, votes.take(chosen), k)
    return np.array(ratings)


def _drawn(votes: Votes, cluster: Cluster, rng: np.random.Generator) -> NDArray[np.intp]:
    """(N,) how often each vote is in a bootstrap sample."""
    times = np.ones(len(votes), np.intp)
    for one in ("voter", "prompt") if cluster == "both" else (cluster,):
        codes = cluster_codes(votes, one)
        count = int(codes.max(initial=-1)) + 1
        times *= np.bincount(rng.integers(count, size=count), minlength=count)[codes]
    return times


def _wandering(took_part: NDArray[np.bool_], k: float) -> Floats:
    """(n, n) the covariance of ratings after many votes; 0 for those that took no part."""
    part = took_part.astype(np.float64)
    centred = np.diag(part) - np.outer(part, part) / max(1.0, part.sum())
    return stationary_sd(k, 10**9) ** 2 * centred
