"""How many votes each rule needs until the ranking is nearly right: the reason for choosing who meets whom."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from rating.matchmaking import Method, Posterior, Question, choose
from rating.saving import PRIOR_SD, answered, expected_misorders, one_step

Floats = NDArray[np.float64]
Groups = NDArray[np.intp]
N, TAU = 20, 0.95
DUEL, PICK = Question(), Question(4, "pick")


def kendall(one: Floats, other: Floats) -> float:
    above = np.triu_indices(len(one), 1)
    return float((np.sign(one[:, None] - one) * np.sign(other[:, None] - other))[above].mean())


def most_likely(votes: Groups, start: Floats) -> Posterior:
    """Laplace's posterior after picks (c, k), the winner first, with the prior N(0, PRIOR_SD^2) on each strength."""
    theta = start
    for _ in range(4):
        weight = np.exp(theta[votes])
        p = weight / weight.sum(axis=1, keepdims=True)
        gradient = np.bincount(votes[:, 0], minlength=N) - np.bincount(votes.ravel(), p.ravel(), minlength=N)
        outer = p[:, :, None] * (np.eye(votes.shape[1]) - p[:, None, :])
        cell = votes[:, :, None] * N + votes[:, None, :]
        fisher = np.bincount(cell.ravel(), outer.ravel(), minlength=N * N).reshape(N, N)
        covariance = np.linalg.inv(fisher + np.eye(N) / PRIOR_SD**2)
        theta = theta + covariance @ (gradient - theta / PRIOR_SD**2)
    return Posterior(theta, covariance)


def looks(limit: int) -> list[int]:
    """After how many votes the ranking is compared with the truth: every 3 %, from 60 on."""
    at = [60]
    while at[-1] < limit:
        at.append(int(np.ceil(at[-1] * 1.03)))
    return at


def uniform_needs(strengths: Floats, question: Question, limit: int, rng: np.random.Generator) -> int:
    """The first look at which Kendall's tau with the truth is TAU or more; the last look if none is."""
    shown = rng.permuted(np.tile(np.arange(N), (looks(limit)[-1], 1)), axis=1)[:, : question.seats]
    votes, theta = answered(strengths, shown, rng), np.zeros(N)
    for look in looks(limit):
        theta = most_likely(votes[:look], theta).mean
        if kendall(theta, strengths) >= TAU:
            break
    return look


def rule_needs(
    strengths: Floats, question: Question, method: Method, limit: int, rng: np.random.Generator, batch: int = 1
) -> int:
    """The same for a rule that sees every `batch` votes before it chooses the next."""
    posterior, votes = Posterior(np.zeros(N), np.eye(N) * PRIOR_SD**2), np.empty((0, question.seats), np.intp)
    exposure = np.zeros(N, np.int64)
    for look in looks(limit):
        while len(votes) < look:
            size = min(batch, look - len(votes))
            choices = choose(posterior, question, count=size, method=method, exposure=exposure, rng=rng)
            new = answered(strengths, np.array([choice.seats for choice in choices]), rng)
            exposure += np.bincount(new.ravel(), minlength=N)
            for vote in new:
                posterior = one_step(posterior, vote, question)
            votes = np.concatenate([votes, new])
        posterior = most_likely(votes, posterior.mean)
        if kendall(posterior.mean, strengths) >= TAU:
            break
    return look


def ratios(question: Question, method: Method, sd: float, worlds: int, *, limit: int, batch: int = 1) -> Floats:
    """(worlds,) the rule's votes over the uniform rule's, in worlds of N(0, sd^2) strengths, numbered by their seed."""
    found = []
    for world in range(worlds):
        strengths = np.random.default_rng([world, 0]).normal(0.0, sd, N)
        ours = rule_needs(strengths, question, method, limit, np.random.default_rng([world, 1]), batch)
        found.append(ours / uniform_needs(strengths, question, limit, np.random.default_rng([world, 2])))
    return np.array(found)


def geometric_mean(found: Floats) -> tuple[float, float, float]:
    """With its 95 % interval, normal on the logarithm."""
    logs = np.log(found)
    half = NormalDist().inv_cdf(0.975) * logs.std(ddof=1) / np.sqrt(len(logs))
    return float(np.exp(logs.mean())), float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))


def misorders_of(strengths: Floats, question: Question, method: Method, count: int, seed: int) -> float:
    """How many pairs `count` votes on the matchups of a rule leave in the wrong order, by the information they hold."""
    rng, shown = np.random.default_rng(seed), np.empty((0, question.seats), np.intp)
    posterior = Posterior(np.zeros(N), np.eye(N) * PRIOR_SD**2)
    while len(shown) < count:
        choices = choose(posterior, question, count=5, method=method, rng=rng)
        shown = np.concatenate([shown, np.array([choice.seats for choice in choices])])
        for vote in answered(strengths, shown[-5:], rng):
            posterior = one_step(posterior, vote, question)
    return expected_misorders(strengths, question, shown)


@pytest.mark.parametrize(("question", "count"), [(DUEL, 600), (PICK, 400)], ids=["duel", "pick"])
def test_the_same_number_of_votes_leaves_fewer_pairs_in_the_wrong_order(question: Question, count: int) -> None:
    logs = []
    for seed in (2, 3, 4):
        strengths = np.random.default_rng([seed, 0]).normal(0.0, 1.0, N)
        ours, uniform = (misorders_of(strengths, question, method, count, seed) for method in ("a-optimal", "uniform"))
        logs.append(np.log(ours / uniform))
    assert np.exp(np.mean(logs)) < 0.95  # balanced random: 0.99 and 0.98


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("question", [DUEL, PICK], ids=["duel", "pick"])
def test_thirty_percent_fewer_votes_than_uniform_order_twenty_contestants(question: Question) -> None:
    mean, _, high = geometric_mean(ratios(question, "a-optimal", 1.0, 60, limit=40_000))
    assert mean <= 0.70
    assert high < 1.0
