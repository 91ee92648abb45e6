"""Shared skill, poll offsets and epochs: against other optimisers, integration and worlds that are known."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from rating.errors import LineageError, PriorError, StateError
from rating.evidence import UNITS_PER_NAT
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.trueskill2 import LEFT_SD, TIE_SD, Lineage, TrueSkill2Fit, fit_trueskill2
from rating.votes import Votes, votes_of

Array = NDArray[np.float64]


def vote(poll: str, seats: str, outcome: str) -> Game:
    names = tuple(seats.split())
    return Game(names, parse_outcome(outcome, len(names)), poll)


def stacked(parts: list[Votes]) -> Votes:
    """Votes of one poll each, on as many seats, as votes of as many polls."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("seats", "ranks", "kinds", "prompt", "voter", "times")
    }
    poll = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)
    return replace(parts[0], polls=tuple(part.polls[0] for part in parts), poll=poll, **joined)


POLLS = (PollRules("dense"), PollRules("middle", answer="draws", tie=0.3), PollRules("sparse"))


def mode_world(seed: int, rho: float, counts: tuple[int, int, int], n: int = 16) -> tuple[Votes, Array]:
    """Votes in three polls and the true skills (3, n), sd 0.8, correlated by rho."""
    rng = np.random.default_rng(seed)
    covariance = 0.64 * (rho + (1 - rho) * np.eye(3))
    skills = rng.multivariate_normal(np.zeros(3), covariance, n).T
    parts = [
        simulate(World(named(n), own, (rules,)), count, rng)
        for own, rules, count in zip(skills, POLLS, counts, strict=True)
    ]
    return stacked(parts), skills


def rmse(fit: TrueSkill2Fit, skills: Array, poll: int = 0) -> float:
    """Of the differences from the mean: no vote bears on the mean."""
    error = fit.skills[poll] - skills[poll]
    return float(np.std(error))


# A second implementation of the posterior, vote by vote, with the prior covariance written out.


@dataclass(frozen=True)
class Written:
    """`games` over `names` in `polls`; parameters: skills poll by poll, then log nu and left bonus of each poll."""

    games: list[Game]
    names: list[str]
    polls: list[str]
    covariance: Array

    def log_posterior(self, x: Array) -> float:
        """With the normalised prior."""
        n, P = len(self.names), len(self.polls)
        skills, ties, lefts = x[: n * P].reshape(P, n), x[n * P : n * P + P], x[n * P + P :]
        value = -0.5 * x[: n * P] @ np.linalg.solve(self.covariance, x[: n * P])
        value -= 0.5 * np.linalg.slogdet(2 * math.pi * self.covariance)[1]
        for term, sd in [*((tie, TIE_SD) for tie in ties), *((left, LEFT_SD) for left in lefts)]:
            value -= 0.5 * (term / sd) ** 2 + 0.5 * math.log(2 * math.pi * sd**2)
        for game in self.games:
            p = self.polls.index(game.poll)
            u = np.array([skills[p, self.names.index(seat)] for seat in game.seats])
            u[0] += lefts[p]
            if len(u) > 2:
                value += u[game.outcome.ranks.index(0)] - np.log(np.exp(u).sum())
                continue
            tie = ties[p] + u.mean()
            chosen = tie if game.outcome.kind == "draw" else u[game.outcome.ranks.index(0)]
            value += chosen - np.log(np.exp([*u, tie]).sum())
        return float(value)


def curvature(function: object, at: Array, step: float = 1e-3) -> Array:
    """Minus the Hessian by central differences."""
    d = len(at)
    H = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            e, f = step * np.eye(d)[i], step * np.eye(d)[j]
            H[i, j] = function(at + e + f) - function(at + e - f) - function(at - e + f) + function(at - e - f)  # type: ignore[operator]
    return -H / (4 * step**2)


@pytest.fixture(scope="module")
def written() -> tuple[Written, Lineage]:
    """Two epochs of a run (one apart by 2) and a contestant on its own, two polls with draws and picks."""
    games = [vote("x", "a b", outcome) for outcome in ("1", "1", "2", "1=2")]
    games += [vote("x", "c b", outcome) for outcome in ("2", "1", "1=2")]
    games += [vote("x", "a c", "1"), vote("x", "b c a", "2"), vote("x", "b a c", "3")]
    games += [vote("y", "a b", "2"), vote("y", "c a", "1=2"), vote("y", "c a b", "2")]
    sd, rho, gamma = 0.9, 0.6, 0.5
    of_contestants = sd**2 * np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    of_contestants[1, 1] += 2 * gamma**2
    covariance = np.kron(np.array([[1, rho], [rho, 1]]), of_contestants)
    return Written(games, ["a", "b", "c"], ["x", "y"], covariance), {"a": ("run", 3), "b": ("run", 5)}


def test_equals_another_optimiser_on_the_posterior_written_out(written: tuple[Written, Lineage]) -> None:
    posterior, lineage = written
    fit = fit_trueskill2(votes_of(posterior.games), lineage=lineage, sd=0.9, rho=0.6, gamma=0.5)
    other = minimize(lambda x: -posterior.log_posterior(x), np.zeros(10), method="BFGS", options={"gtol": 1e-6})
    ours = np.append(fit.skills.ravel(), [fit.terms[name] for name in ("tie:x", "tie:y", "left:x", "left:y")])
    np.testing.assert_allclose(ours, other.x, atol=2e-5)

    H = curvature(posterior.log_posterior, ours)
    expected = np.linalg.inv(H)[:6, :6]
    np.testing.assert_allclose(fit.covariance.reshape(6, 6), expected, atol=1e-4)
    evidence = posterior.log_posterior(ours) + 5 * math.log(2 * math.pi) - 0.5 * np.linalg.slogdet(H)[1]
    assert fit.log_evidence == pytest.approx(evidence, abs=1e-4)


def test_evidence_against_integration() -> None:
    # Two contestants, two polls: the differences (d, e) ~ N(0, 2 sd^2 [[1, rho], [rho, 1]]).
    wins = {"x": (13, 6), "y": (5, 8)}
    games = [vote(poll, "a b", str(seat + 1)) for poll in wins for seat in (0, 1) for _ in range(wins[poll][seat])]
    grid = np.linspace(-8, 8, 641)
    d, e = np.meshgrid(grid, grid, indexing="ij")
    for sd, rho in [(0.5, 0.3), (1.0, 0.8), (2.0, 0.95)]:
        log = -13 * np.logaddexp(0, -d) - 6 * np.logaddexp(0, d) - 5 * np.logaddexp(0, -e) - 8 * np.logaddexp(0, e)
        log -= (d**2 - 2 * rho * d * e + e**2) / (4 * sd**2 * (1 - rho**2))
        log -= math.log(4 * math.pi * sd**2 * math.sqrt(1 - rho**2))
        integral = math.log(np.exp(log).sum() * 0.025**2)
        fit = fit_trueskill2(votes_of(games), sd=sd, rho=rho, left_seat=False)
        assert fit.log_evidence == pytest.approx(integral, abs=0.06)


def test_no_correlation_is_a_fit_of_each_poll() -> None:
    votes, _ = mode_world(1, 0.5, (600, 300, 100), n=6)
    fit = fit_trueskill2(votes, sd=0.8, rho=0.0)
    for poll in range(3):
        alone = fit_trueskill2(votes.take(votes.poll == poll), sd=0.8)
        np.testing.assert_allclose(fit.skills[poll], alone.skills[0], atol=1e-8)
        np.testing.assert_allclose(fit.covariance[poll, :, poll], alone.covariance[0, :, 0], atol=1e-8)


def test_full_correlation_is_one_skill() -> None:
    votes, _ = mode_world(1, 0.9, (600, 300, 100), n=6)
    fit = fit_trueskill2(votes, sd=0.8, rho=1.0)
    np.testing.assert_allclose(fit.skills - fit.skills[0], 0, atol=1e-9)
    np.testing.assert_allclose(fit.poll_sigma, np.tile(fit.sigma, (3, 1)), rtol=1e-9)


def test_epochs_without_a_walk_are_one_contestant() -> None:
    votes, _ = mode_world(2, 0.5, (500, 300, 200), n=6)
    first, second = votes.contestants[:2]
    fit = fit_trueskill2(votes, lineage={first: ("run", 1), second: ("run", 2)}, sd=0.8, rho=0.5, gamma=0.0)
    np.testing.assert_allclose(fit.skills[:, 0], fit.skills[:, 1], atol=1e-9)


def test_scale_of_trueskill() -> None:
    votes = votes_of([vote("x", "a b", "1"), vote("x", "b a", "1"), vote("x", "a b", "1")])
    fit = fit_trueskill2(votes, sd=25 / 3 / UNITS_PER_NAT)
    # Opposite skills around the prior's mean; the sd between that of the mean of both and that of one before any vote.
    assert fit.mu.sum() == pytest.approx(50)
    assert fit.mu[0] > 25
    assert 25 / 3 / math.sqrt(2) < fit.sigma[0] < 25 / 3
    np.testing.assert_allclose(fit.conservative, fit.mu - 3 * fit.sigma)
    np.testing.assert_allclose(fit.poll_mu[0], fit.mu)
    np.testing.assert_allclose(fit.poll_sigma[0], fit.sigma)
    certain = votes_of([vote("x", "a b", outcome) for outcome in ["1"] * 3000 + ["2"] * 1000])
    gap = np.diff(fit_trueskill2(certain, sd=25 / 3 / UNITS_PER_NAT, left_seat=False).mu)[0]
    # 3 wins of 4: ln 3 nat, by TrueSkill's own link 0.6745 sqrt(2) beta = 3.97; the links differ by 5 % there.
    assert -gap == pytest.approx(math.log(3) * UNITS_PER_NAT, rel=1e-3)
    assert -gap == pytest.approx(0.6745 * math.sqrt(2) * 25 / 6, rel=0.05)


def test_the_shared_skill_is_the_mean_over_polls() -> None:
    votes, _ = mode_world(3, 0.6, (400, 200, 100), n=5)
    fit = fit_trueskill2(votes, sd=0.8, rho=0.6)
    np.testing.assert_allclose(fit.shared, fit.skills.mean(axis=0))
    average = np.kron(np.full(3, 1 / 3), np.eye(5))  # (5, 15)
    np.testing.assert_allclose(fit.shared_covariance, average @ fit.covariance.reshape(15, 15) @ average.T)


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(float(np.mean(np.log(ratios))))


def polls_compared(rho: float, worlds: int) -> tuple[float, float, float]:
    """Mean learned correlation, and RMSE against fits of each poll with the same prior: sparse, dense poll."""
    learned, sparse, dense = [], [], []
    for seed in range(worlds):
        votes, skills = mode_world(1000 + seed, rho, (2500, 1200, 250))
        fit = fit_trueskill2(votes)
        alone = fit_trueskill2(votes, sd=fit.prior.sd, rho=0.0)
        learned.append(fit.prior.rho)
        sparse.append(rmse(fit, skills, 2) / rmse(alone, skills, 2))
        dense.append(rmse(fit, skills, 0) / rmse(alone, skills, 0))
    return float(np.mean(learned)), geometric_mean(sparse), geometric_mean(dense)


@pytest.mark.parametrize(("rho", "worst"), [(0.5, 1.03), (0.8, 0.9)])
def test_correlated_polls_help_the_sparse_one(rho: float, worst: float) -> None:
    learned, sparse, dense = polls_compared(rho, 8)
    assert learned == pytest.approx(rho, abs=0.12)
    assert sparse < worst
    assert dense < 1.03


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "worst"), [(0.5, 1.03), (0.8, 0.9), (0.95, 0.75)])
def test_correlated_polls_help_the_sparse_one_in_many_worlds(rho: float, worst: float) -> None:
    learned, sparse, dense = polls_compared(rho, 60)
    assert learned == pytest.approx(rho, abs=0.06)
    assert sparse < worst
    assert dense < 1.02


def run_world(seed: int, gamma: float, count: int) -> tuple[Votes, Array, Lineage]:
    """Three runs of 8 epochs that walk by gamma, and 4 contestants on their own; `count` duels in one poll."""
    rng = np.random.default_rng(seed)
    starts = rng.normal(0, 0.8, (3, 1))
    runs = starts + np.cumsum(np.hstack([np.zeros((3, 1)), rng.normal(0, gamma, (3, 7))]), axis=1)
    skills = np.concatenate([runs.ravel(), rng.normal(0, 0.8, 4)])
    names = named(len(skills))
    votes = simulate(World(names, skills), count, rng)
    return votes, skills, {names[at]: (f"run {at // 8}", at % 8) for at in range(24)}


def epochs_compared(gamma: float, worlds: int) -> tuple[float, float]:
    """The learned gamma, and the RMSE against the fit that takes epochs as strangers: geometric means over worlds."""
    learned, ratios = [], []
    for seed in range(worlds):
        votes, skills, lineage = run_world(2000 + seed, gamma, 700)
        fit = fit_trueskill2(votes, lineage=lineage)
        strangers = fit_trueskill2(votes)
        learned.append(fit.prior.gamma)
        ratios.append(rmse(fit, skills[None]) / rmse(strangers, skills[None]))
    return geometric_mean(learned), geometric_mean(ratios)


def test_epochs_of_a_run_help_each_other() -> None:
    gamma, ratio = epochs_compared(0.2, 6)
    assert gamma == pytest.approx(0.2, rel=0.3)
    assert ratio < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.1, 0.2, 0.4])
def test_epochs_of_a_run_help_each_other_in_many_worlds(gamma: float) -> None:
    learned, ratio = epochs_compared(gamma, 40)
    assert learned == pytest.approx(gamma, rel=0.15)
    assert ratio < 0.95


def test_intervals_cover() -> None:
    inside = []
    for seed in range(6):
        votes, skills = mode_world(3000 + seed, 0.8, (900, 500, 200))
        fit = fit_trueskill2(votes)
        i, j = np.triu_indices(16, 1)
        for poll in range(3):
            V = fit.covariance[poll, :, poll]
            sd = np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j])
            gap = fit.skills[poll, i] - fit.skills[poll, j] - skills[poll, i] + skills[poll, j]
            inside.append(np.abs(gap) < 1.96 * sd)
    assert 0.92 < np.mean(inside) < 0.98


def test_a_poll_without_votes_on_a_contestant_is_predicted() -> None:
    games = [vote("x", "a b", "1")] * 20 + [vote("x", "b c", "1")] * 20 + [vote("x", "c a", "1")] * 2
    games += [vote("x", "b a", "1")] * 4 + [vote("x", "c b", "1")] * 4 + [vote("y", "a b", "1")] * 2
    fit = fit_trueskill2(votes_of(games), rho=0.8, sd=1.0)
    assert fit.polls == ("x", "y")
    assert fit.skills[1, 2] < fit.skills[1, 1] < fit.skills[1, 0]
    assert fit.poll_sigma[1, 2] > fit.poll_sigma[0, 2]


def test_order_and_names_have_no_influence() -> None:
    votes, _ = mode_world(4, 0.7, (300, 200, 100), n=6)
    fit = fit_trueskill2(votes)
    shuffled = fit_trueskill2(votes.take(np.random.default_rng(0).permutation(len(votes))))
    np.testing.assert_array_equal(shuffled.skills, fit.skills)
    np.testing.assert_array_equal(shuffled.covariance, fit.covariance)
    assert shuffled.prior == fit.prior
    mirrored = fit_trueskill2(replace(votes, seats=(5 - votes.seats).astype(np.int32)))
    np.testing.assert_allclose(mirrored.skills[:, ::-1], fit.skills, atol=1e-6)


def test_seats_have_no_influence_without_a_left_term() -> None:
    votes, _ = mode_world(4, 0.7, (300, 200, 100), n=6)
    turned = replace(votes, seats=votes.seats[:, ::-1].copy(), ranks=votes.ranks[:, ::-1].copy())
    one, other = (fit_trueskill2(these, left_seat=False) for these in (votes, turned))
    np.testing.assert_allclose(other.skills, one.skills, atol=1e-9)


def test_the_left_seat_is_told_from_the_skills() -> None:
    rng = np.random.default_rng(5)
    skills = rng.normal(0, 0.8, 8)
    votes = simulate(World(named(8), skills, (PollRules("duel", left=0.4),)), 6000, rng)
    fit = fit_trueskill2(votes)
    assert fit.terms["left:duel"] == pytest.approx(0.4, abs=0.1)


def test_separated_votes_stay_finite() -> None:
    games = [vote("x", "a b", "1")] * 5000 + [vote("x", "b c", "1")] * 5000
    fit = fit_trueskill2(votes_of(games), lineage={"a": ("run", 2), "c": ("run", 1)})
    assert np.isfinite(fit.skills).all()
    assert np.isfinite(fit.sigma).all()
    assert fit.skills[0, 0] > fit.skills[0, 1] > fit.skills[0, 2]


def test_one_vote_is_enough() -> None:
    fit = fit_trueskill2(votes_of([vote("x", "a b", "2")]), lineage={"a": ("run", 1), "b": ("run", 2)})
    assert np.isfinite([fit.prior.sd, fit.prior.gamma, *fit.mu, *fit.sigma]).all()
    assert fit.mu[1] > fit.mu[0]


def test_contestants_without_votes_have_no_skill() -> None:
    votes = votes_of([vote("x", "a b", "1"), vote("x", "b d", "1"), vote("x", "d a", "1")])
    votes = replace(votes, contestants=("a", "b", "c", "d"), seats=np.where(votes.seats == 2, 3, votes.seats))
    fit = fit_trueskill2(votes)
    assert fit.took_part.tolist() == [True, True, False, True]
    assert np.isnan(fit.mu[2])
    assert np.isnan(fit.sigma[2])
    assert np.isfinite(fit.conservative[[0, 1, 3]]).all()


def test_bad_and_skipped_votes_have_no_influence() -> None:
    games = [vote("x", "a b", "1"), vote("x", "a b", "2"), vote("x", "a b", "1")]
    votes = votes_of(games)
    more = votes.take(np.array([0, 1, 2, 0, 1]))
    more = replace(more, kinds=np.array([0, 0, 0, 3, 4], np.int8))
    more.ranks[3:] = -1
    np.testing.assert_array_equal(fit_trueskill2(more).skills, fit_trueskill2(votes).skills)


@pytest.mark.parametrize(
    ("lineage", "said"),
    [
        ({"a": ("run", 1), "b": ("run", 1)}, "a and b are both epoch 1 of run run"),
        ({"a": ("run", math.nan)}, "finite"),
    ],
)
def test_epochs_that_make_no_walk(lineage: Lineage, said: str) -> None:
    with pytest.raises(LineageError, match=said):
        fit_trueskill2(votes_of([vote("x", "a b", "1")]), lineage=lineage)


@pytest.mark.parametrize("prior", [{"sd": 0.0}, {"sd": math.nan}, {"rho": 1.1}, {"rho": -0.1}, {"gamma": -1.0}])
def test_priors_that_cannot_be(prior: dict[str, float]) -> None:
    with pytest.raises(PriorError, match=next(iter(prior))):
        fit_trueskill2(votes_of([vote("x", "a b", "1")]), **prior)


@pytest.mark.parametrize(
    ("games", "said"),
    [
        ([], "No counted votes"),
        ([vote("x", "a b", "1=2")], "draws"),
        ([vote("x", "a b", "1"), vote("y", "c d", "1")], "never met"),
    ],
)
def test_nothing_to_rate(games: list[Game], said: str) -> None:
    with pytest.raises(StateError, match=said):
        fit_trueskill2(votes_of(games))
