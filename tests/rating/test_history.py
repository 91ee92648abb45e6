"""Strengths over time, against dense algebra, another optimiser, numerical integration and worlds that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from rating.errors import SliceError, StateError
from rating.game import Game
from rating.history import DAY, History, fit_history
from rating.outcomes import parse_outcome
from rating.votes import PICK, Votes, votes_of

Array = NDArray[np.float64]
ELO = 400 / math.log(10)


def vote(seats: str, outcome: str, day: float = 0.0) -> Game:
    names = tuple(seats.split())
    return Game(names, parse_outcome(outcome, len(names)), "duel", time=day * DAY)


def walk(rng: np.random.Generator, n: int, slices: int, gamma: float) -> Array:
    """(slices, n) strengths that walk by N(0, gamma^2) from one day to the next, with mean 0."""
    strengths = np.cumsum(np.vstack([rng.normal(0, 1, n), rng.normal(0, gamma, (slices - 1, n))]), axis=0)
    return np.asarray(strengths - strengths.mean(axis=1, keepdims=True))


def duels(rng: np.random.Generator, strengths: Array, count: int) -> Votes:
    """`count` duels of random pairs at random times; slice t is day t."""
    slices, n = strengths.shape
    times = np.sort(rng.uniform(0, slices, count))
    first = rng.integers(n, size=count)
    second = (first + rng.integers(1, n, size=count)) % n
    gap = strengths[times.astype(int), second] - strengths[times.astype(int), first]
    won = rng.random(count) < 1 / (1 + np.exp(gap))
    nobody = np.full(count, -1, np.int32)
    return Votes(
        contestants=tuple(f"c{at:02d}" for at in range(n)),
        polls=("duel",),
        prompts=(),
        voters=(),
        seats=np.column_stack([first, second]).astype(np.int32),
        ranks=np.where(won[:, None], [0, 1], [1, 0]).astype(np.int16),
        kinds=np.full(count, PICK, np.int8),
        poll=np.zeros(count, np.int32),
        prompt=nobody,
        voter=nobody,
        times=times * DAY,
    )


def days(count: int) -> Array:
    return np.arange(count + 1) * DAY


def rmse(history: History, strengths: Array) -> float:
    return float(np.sqrt(((history.means - strengths) ** 2).mean()))


# A second implementation, dense and for pairs only: loops over votes, no cells, no blocks.


def prior_precision(slices: int, n: int, gamma: float, sd: float) -> Array:
    Q = np.zeros((slices, slices))
    Q[0, 0] = 1 / sd**2
    for t in range(slices - 1):
        Q[t : t + 2, t : t + 2] += np.array([[1, -1], [-1, 1]]) / gamma**2
    return np.kron(Q, np.eye(n))


def log_likelihood(votes: Votes, x: Array, n: int) -> tuple[float, Array, Array]:
    """Value, gradient and minus Hessian; a tie counts as half a win for each."""
    value, g, H = 0.0, np.zeros(len(x)), np.zeros((len(x), len(x)))
    for seats, ranks, time in zip(votes.seats, votes.ranks, votes.times, strict=True):
        a, b = int(time // DAY) * n + seats
        p = 1 / (1 + math.exp(x[b] - x[a]))
        won = 0.5 if ranks[0] == ranks[1] else float(ranks[0] < ranks[1])
        value += won * math.log(p) + (1 - won) * math.log(1 - p)
        g[a] += won - p
        g[b] -= won - p
        H[np.ix_([a, b], [a, b])] += p * (1 - p) * np.array([[1, -1], [-1, 1]])
    return value, g, H


@pytest.fixture(scope="module")
def small() -> tuple[Votes, int, int]:
    """Four contestants in five days, with draws, and a day without votes."""
    rng = np.random.default_rng(5)
    votes = duels(rng, walk(rng, 4, 5, 0.4), 120)
    votes = votes.take(votes.times // DAY != 2)
    votes.ranks[::9] = 0
    return votes, 5, 4


def test_equals_a_dense_fit(small: tuple[Votes, int, int]) -> None:
    votes, slices, n = small
    gamma, sd = 0.3, 1.5
    history = fit_history(votes, edges=days(slices), gamma=gamma, sd=sd)
    Q = prior_precision(slices, n, gamma, sd)

    def loss(x: Array) -> tuple[float, Array]:
        value, g, _ = log_likelihood(votes, x, n)
        return 0.5 * float(x @ Q @ x) - value, Q @ x - g

    dense = minimize(loss, np.zeros(slices * n), jac=True, method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(history.means.ravel(), dense.x, atol=1e-6)

    value, _, H = log_likelihood(votes, history.means.ravel(), n)
    covariance = np.linalg.inv(Q + H)
    centring = np.kron(np.eye(slices), np.eye(n) - 1 / n)
    expected = np.sqrt(np.diag(centring @ covariance @ centring)).reshape(slices, n)
    np.testing.assert_allclose(history.sds, expected, rtol=1e-9)

    x = history.means.ravel()
    evidence = value - 0.5 * x @ Q @ x - 0.5 * (np.linalg.slogdet(Q + H)[1] - np.linalg.slogdet(Q)[1])
    assert history.log_evidence == pytest.approx(evidence, rel=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 1e-7])
def test_without_a_walk_it_is_the_ridge_fit_of_all_votes(small: tuple[Votes, int, int], gamma: float) -> None:
    votes, slices, n = small
    history = fit_history(votes, edges=days(slices), gamma=gamma, sd=1.5)
    together = replace(votes, times=np.zeros(len(votes)))
    theta = np.zeros(n)
    for _ in range(30):
        _, g, H = log_likelihood(together, theta, n)
        theta += np.linalg.solve(H + np.eye(n) / 1.5**2, g - theta / 1.5**2)
    np.testing.assert_allclose(history.means, np.tile(theta, (slices, 1)), atol=1e-9)
    _, _, H = log_likelihood(together, theta, n)
    centring = np.eye(n) - 1 / n
    sds = np.sqrt(np.diag(centring @ np.linalg.inv(H + np.eye(n) / 1.5**2) @ centring))
    np.testing.assert_allclose(history.sds, np.tile(sds, (slices, 1)), rtol=1e-9)


def test_evidence_against_integration() -> None:
    # Two contestants, two days: only the difference d counts, d1 ~ N(0, 2 sd^2), d2 - d1 ~ N(0, 2 gamma^2).
    games = [vote("a b", "1", 0.5)] * 14 + [vote("a b", "2", 0.5)] * 9 + [vote("a b", "2", 1.5)] * 17
    games += [vote("a b", "1", 1.5)] * 8
    gamma, sd = 0.6, 1.0
    d1, d2 = np.meshgrid(np.linspace(-6, 6, 481), np.linspace(-6, 6, 481), indexing="ij")
    log = -14 * np.logaddexp(0, -d1) - 9 * np.logaddexp(0, d1) - 8 * np.logaddexp(0, -d2) - 17 * np.logaddexp(0, d2)
    log += -(d1**2) / (4 * sd**2) - (d2 - d1) ** 2 / (4 * gamma**2) - math.log(4 * math.pi * sd * gamma)
    integral = math.log(np.exp(log).sum() * 0.025**2)
    history = fit_history(votes_of(games), edges=days(2), gamma=gamma, sd=sd)
    assert history.log_evidence == pytest.approx(integral, abs=0.03)


def test_a_drifting_contestant_is_tracked() -> None:
    rng = np.random.default_rng(1)
    strengths = np.tile(np.linspace(-1, 1, 8), (12, 1))
    strengths[:, 3] += np.linspace(0, 2, 12)
    strengths -= strengths.mean(axis=1, keepdims=True)
    votes = duels(rng, strengths, 8000)
    tracked = fit_history(votes, edges=days(12))
    still = fit_history(votes, edges=days(12), gamma=0.0)
    assert tracked.log_evidence > still.log_evidence + 20
    assert rmse(tracked, strengths) < 0.6 * rmse(still, strengths)
    gained = tracked.means[-1, 3] - tracked.means[0, 3]
    assert gained == pytest.approx(2 * 7 / 8, abs=0.4)


def test_intervals_cover_and_gamma_is_recovered() -> None:
    found, inside = [], []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        strengths = walk(rng, 10, 15, 0.15)
        history = fit_history(duels(rng, strengths, 6000), edges=days(15))
        found.append(math.log(history.gamma))
        inside.append(np.abs(history.means - strengths) < 1.96 * history.sds)
    assert math.exp(np.mean(found)) == pytest.approx(0.15, rel=0.15)
    assert 0.92 < np.mean(inside) < 0.98


def test_gamma_of_a_still_world_is_small() -> None:
    rng = np.random.default_rng(3)
    strengths = np.tile(walk(rng, 10, 1, 0.0), (15, 1))
    history = fit_history(duels(rng, strengths, 20000), edges=days(15))
    assert history.gamma * math.sqrt(15) < 0.2


def test_picks_and_rankings_are_chains_of_choices() -> None:
    # One slice, prior N(0, 1): the log posterior is written out by hand.
    games = [vote("a b c d", "2"), vote("a b c d", "3>1=2>4"), vote("a b c", "1=2=3"), vote("d b", "1=2")]
    history = fit_history(votes_of(games), slices=1, gamma=0.0, sd=1.0)

    def chosen(x: Array, best: int, among: list[int]) -> float:
        return float(x[best] - np.log(np.exp(x[among]).sum()))

    def loss(x: Array) -> float:
        a, b, c, d = range(4)
        value = chosen(x, b, [a, b, c, d])
        value += chosen(x, c, [a, b, c, d]) + chosen(x, a, [a, b, d]) + chosen(x, b, [a, b, d])
        value += 2 / 3 * sum(chosen(x, best, [a, b, c]) for best in (a, b, c))
        value += 0.5 * chosen(x, d, [b, d]) + 0.5 * chosen(x, b, [b, d])
        return 0.5 * float(x @ x) - value

    dense = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(history.means[0], dense.x, atol=1e-5)


def test_order_seats_and_names_have_no_influence(small: tuple[Votes, int, int]) -> None:
    votes, slices, n = small
    history = fit_history(votes, edges=days(slices), gamma=0.3)
    shuffled = votes.take(np.random.default_rng(0).permutation(len(votes)))
    turned = replace(shuffled, seats=shuffled.seats[:, ::-1].copy(), ranks=shuffled.ranks[:, ::-1].copy())
    again = fit_history(turned, edges=days(slices), gamma=0.3)
    np.testing.assert_array_equal(again.means, history.means)
    np.testing.assert_array_equal(again.sds, history.sds)
    renamed = replace(votes, seats=(n - 1 - votes.seats).astype(np.int32))
    mirrored = fit_history(renamed, edges=days(slices), gamma=0.3)
    np.testing.assert_allclose(mirrored.means[:, ::-1], history.means, atol=1e-12)


def test_separated_votes_stay_finite() -> None:
    games = [vote("a b", "1", day) for day in range(3000)] + [vote("b c", "1", day) for day in range(3000)]
    history = fit_history(votes_of(games), slices=6)
    assert np.isfinite(history.means).all()
    assert np.isfinite(history.sds).all()
    assert math.isfinite(history.gamma)
    assert (np.diff(history.means, axis=1) < -2).all()


def test_contestants_without_votes_have_no_strength() -> None:
    votes = votes_of([vote("a b", "1", 0), vote("a b", "2", 2), vote("b d", "1", 1)])
    votes = replace(votes, contestants=("a", "b", "c", "d"), seats=np.where(votes.seats == 2, 3, votes.seats))
    history = fit_history(votes, slices=3, gamma=0.1)
    assert history.took_part.tolist() == [True, True, False, True]
    assert np.isnan(history.means[:, 2]).all()
    assert np.isfinite(history.means[:, [0, 1, 3]]).all()


def test_votes_of_one_moment_make_one_slice() -> None:
    history = fit_history(votes_of([vote("a b", "1", 4), vote("a b", "2", 4), vote("a b", "1", 4)]))
    assert history.means.shape == (1, 2)
    assert history.gamma == 0
    assert history.times.tolist() == [4 * DAY]


def test_skipped_votes_have_no_influence() -> None:
    games = [vote("a b", "1", 0), vote("a b", "2", 1), vote("a b", "1", 2)]
    votes = votes_of(games)
    more = votes.take(np.array([0, 1, 2, 2]))
    more = replace(more, kinds=np.array([0, 0, 0, 4], np.int8), times=np.append(more.times[:3], 11 * DAY))
    more.ranks[3] = -1
    np.testing.assert_array_equal(fit_history(more, gamma=0.1).means, fit_history(votes, gamma=0.1).means)


@pytest.mark.parametrize(
    ("slices", "edges", "said"),
    [
        (0, None, "at least 1"),
        (5, [0.0], "two at least"),
        (5, [0.0, DAY, DAY, 9 * DAY], "ascend"),
        (5, [0.0, DAY], "outside"),
        (5, [0.0, math.nan], "ascend"),
    ],
)
def test_slices_that_do_not_fit(slices: int, edges: list[float] | None, said: str) -> None:
    votes = votes_of([vote("a b", "1", 0), vote("a b", "2", 3)])
    with pytest.raises(SliceError, match=said):
        fit_history(votes, slices=slices, edges=edges)


def test_a_time_that_is_no_number() -> None:
    votes = votes_of([vote("a b", "1"), vote("a b", "2")])
    with pytest.raises(SliceError, match="finite time"):
        fit_history(replace(votes, times=np.array([math.nan, 0.0])))


def test_nothing_to_rate() -> None:
    with pytest.raises(StateError, match="draws"):
        fit_history(votes_of([vote("a b", "1=2")]))
