"""The posterior of TrueSkill 2 against a second implementation, written out vote by vote, and integration."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import minimize

from rating.game import Game
from rating.trueskill2 import LEFT_SD, TIE_SD, Lineage, fit_trueskill2
from rating.votes import votes_of
from tests.rating.polls_and_runs import Array, vote


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
