"""How many votes planning spares on given strengths, against balanced random (docs/matchmaking.md)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rating.matchmaking import Method, Posterior, Question, choose, information

PRIOR_SD = 1.0
BATCH = 10
Floats = NDArray[np.float64]
Groups = NDArray[np.intp]


@dataclass(frozen=True)
class Saving:
    """What planning needs among so many contestants where balanced random needs `votes`.

    In each world balanced random leaves some pairs misordered (`misordered`, on average); planning leaves as few after
    `planned` votes. `ratio` is planned / votes, the geometric mean over the worlds, with its 95 % interval.
    """

    contestants: int
    votes: int
    planned: list[int]
    misordered: float
    ratio: float
    low: float
    high: float


def savings(
    strengths: Floats,
    question: Question,
    votes: Sequence[int],
    *,
    worlds: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Saving]:
    """Play `worlds` >= 2 pairs of polls among contestants of these true strengths (n,) in nat; a result for each number
    of `votes`, ascending, each at least BATCH.

    The measure depends on the matchups and the true strengths alone, not on the luck of the answers:
    `expected_misorders`. Planning sees the answers, as a poll does, BATCH at a time. `progress` gets the worlds done.
    """
    planned, left = np.empty((worlds, len(votes)), np.intp), np.empty((worlds, len(votes)))
    for world in range(worlds):
        rngs = [np.random.default_rng([seed, world, part]) for part in (0, 1)]
        *_, shown = _asked(strengths, question, "balanced-random", votes[-1], rngs[0])
        left[world] = [expected_misorders(strengths, question, shown[:count]) for count in votes]
        planned[world] = votes
        for ours in _asked(strengths, question, "a-optimal", votes[-1], rngs[1]):
            reached = expected_misorders(strengths, question, ours) <= left[world]
            planned[world] = np.where(reached, np.minimum(planned[world], len(ours)), planned[world])
            if reached.all():
                break
        if progress:
            progress(world + 1)
    return [_saving(len(strengths), count, planned[:, at], left[:, at]) for at, count in enumerate(votes)]


def _saving(contestants: int, votes: int, planned: Groups, left: Floats) -> Saving:
    logs = np.log(planned / votes)
    half = NormalDist().inv_cdf(0.975) * logs.std(ddof=1) / np.sqrt(len(logs))
    ratio, low, high = (float(np.exp(logs.mean() + off)) for off in (0.0, -half, half))
    return Saving(contestants, votes, planned.tolist(), float(left.mean()), ratio, low, high)


def expected_misorders(strengths: Floats, question: Question, shown: Groups) -> float:
    """How many pairs answers on the groups `shown` (c, k) leave in the wrong order on average.

    The sum over pairs of Phi(-|d| / s) for their true differences d, with s from the information of the matchups at the
    true strengths and the prior N(0, PRIOR_SD^2).
    """
    n = len(strengths)
    cell = shown[:, :, None] * n + shown[:, None, :]
    each = information(strengths[shown], question)
    fisher = np.bincount(cell.ravel(), each.ravel(), n * n).reshape(n, n) + np.eye(n) / PRIOR_SD**2
    covariance = np.linalg.inv(fisher)
    above = np.triu_indices(n, 1)
    variance = np.diag(covariance)
    sd = np.sqrt((variance[:, None] + variance - 2.0 * covariance)[above])
    apart = np.abs(strengths[:, None] - strengths)[above] / sd
    normal = NormalDist()
    return float(sum(normal.cdf(-one) for one in apart.tolist()))


def answered(strengths: Floats, shown: Groups, rng: np.random.Generator) -> Groups:
    """The groups (c, k) with the one that is picked first, by the logistic law."""
    utility = strengths[shown] + rng.gumbel(size=shown.shape)
    return np.take_along_axis(shown, np.argsort(-utility, axis=1), axis=1)


def one_step(posterior: Posterior, vote: Groups, question: Question) -> Posterior:
    """The posterior after one more pick (k,), the winner first: one Newton step from the mean, of low rank."""
    mean, covariance = posterior
    h = information(mean[vote], question)
    inner = np.linalg.solve(np.eye(len(vote)) + h @ covariance[np.ix_(vote, vote)], h)
    covariance = covariance - covariance[:, vote] @ inner @ covariance[vote]
    weight = np.exp(mean[vote] - mean[vote].max())
    gradient = (np.arange(len(vote)) == 0) - weight / weight.sum()
    return Posterior(mean + covariance[:, vote] @ gradient, covariance)


def _asked(
    strengths: Floats, question: Question, method: Method, votes: int, rng: np.random.Generator
) -> Iterator[Groups]:
    """The matchups (c, k) asked so far, after every batch."""
    n = len(strengths)
    posterior, exposure = Posterior(np.zeros(n), np.eye(n) * PRIOR_SD**2), np.zeros(n, np.int64)
    shown = np.empty((0, question.seats), np.intp)
    while len(shown) < votes:
        count = min(BATCH, votes - len(shown))
        choices = choose(posterior, question, count=count, method=method, exposure=exposure, rng=rng)
        new = np.array([choice.seats for choice in choices], np.intp)
        exposure += np.bincount(new.ravel(), minlength=n)
        shown = np.concatenate([shown, new])
        if method != "balanced-random":
            for vote in answered(strengths, new, rng):
                posterior = one_step(posterior, vote, question)
        yield shown
