"""The joint fit against a likelihood written out by hand, other solvers, and simulated worlds."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from rating.game import Game
from rating.graph import beat_counts
from rating.joint import JointFit, fit_joint
from rating.outcomes import Outcome, format_outcome, parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.stages import Ties
from rating.votes import votes_of
from tests.rating.joint_votes import LAWS, POLLS, Floats, mixed, total_written_out, written_out


def strengths(fit: JointFit) -> dict[str, float]:
    return dict(zip(fit.contestants, fit.estimate.tolist(), strict=False))


@pytest.mark.parametrize("ties", LAWS)
def test_probabilities_are_those_of_the_definition(ties: Ties) -> None:
    votes = mixed()
    fit = fit_joint(votes, ties=ties)
    value = dict(zip(fit.parameters, fit.estimate.tolist(), strict=True))
    expected = [written_out(game, value, ties) for game in votes.games()]
    found = fit.log_probability(votes)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert fit.log_likelihood == pytest.approx(sum(expected), abs=1e-8)


@pytest.mark.parametrize("ties", LAWS)
def test_the_gradient_vanishes_and_the_information_is_its_slope(ties: Ties) -> None:
    votes = mixed(150, seed=3)
    fit = fit_joint(votes, ties=ties)
    h = 1e-4
    steps = h * np.eye(len(fit.parameters))

    def log_likelihood(shift: Floats) -> float:
        return total_written_out(votes, fit, fit.estimate + shift)

    gradient = [(log_likelihood(step) - log_likelihood(-step)) / (2 * h) for step in steps]
    np.testing.assert_allclose(gradient, 0.0, atol=1e-4)
    for i, j in [(0, 0), (0, 1), (4, 5), (5, 5), (2, 8), (6, 7), (len(steps) - 1, 1), (len(steps) - 2, len(steps) - 2)]:
        corners = [s * t * log_likelihood(s * steps[i] + t * steps[j]) for s, t in product((1, -1), repeat=2)]
        assert fit.information[i, j] == pytest.approx(
            -sum(corners) / (4 * h * h), abs=2e-3 * (1 + fit.information[i, i])
        )


@pytest.mark.parametrize("ties", LAWS)
def test_scores_are_the_gradient_vote_by_vote(ties: Ties) -> None:
    fit = fit_joint(mixed(), ties=ties)
    votes = mixed(60, seed=5)
    scores = fit.scores(votes)
    found = np.zeros((len(votes), len(fit.parameters)))
    np.add.at(found, (scores.vote, scores.parameter), scores.value)
    h = 1e-6
    for at, game in enumerate(votes.games()):
        for parameter, name in enumerate(fit.parameters):
            value = dict(zip(fit.parameters, fit.estimate.tolist(), strict=True))
            more, less = value | {name: value[name] + h}, value | {name: value[name] - h}
            slope = (written_out(game, more, ties) - written_out(game, less, ties)) / (2 * h)
            assert found[at, parameter] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("ties", LAWS)
def test_scores_of_the_fitted_votes_add_up_to_nothing(ties: Ties) -> None:
    votes = mixed()
    fit = fit_joint(votes, ties=ties)
    scores = fit.scores(votes)
    np.testing.assert_allclose(np.bincount(scores.parameter, scores.value), 0.0, atol=1e-9)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_outcomes_of_one_matchup_have_probability_one(ties: Ties) -> None:
    fit = fit_joint(mixed(), ties=ties)
    names = fit.contestants
    rankings = {ranks for ranks in product(range(4), repeat=4) if set(ranks) == set(range(max(ranks) + 1))}
    for outcomes, size, poll in [
        (["1", "2", "1=2"], 2, "fixed"),
        (["1", "2"], 2, "duel"),
        (["1", "2", "3", "4"], 4, "ffa"),
        ([format_outcome(Outcome("ranking", ranks)) for ranks in rankings if max(ranks) > 0], 4, "order"),
    ]:
        each = votes_of([Game(names[:size], parse_outcome(outcome, size), poll) for outcome in outcomes])
        assert np.exp(fit.log_probability(each)).sum() == pytest.approx(1.0, abs=1e-12)


def test_another_solver_finds_the_same_maximum() -> None:
    votes = mixed(400, seed=2)
    fit = fit_joint(votes)

    def loss(at: Floats) -> float:
        return -float(replace(fit, estimate=at).log_probability(votes).sum())

    found = minimize(loss, np.zeros(len(fit.estimate)), options={"gtol": 1e-5})
    n = len(fit.contestants)
    found.x[:n] -= found.x[:n].mean()
    assert -found.fun == pytest.approx(fit.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(found.x, fit.estimate, rtol=0, atol=1e-4)


def test_zermelos_iterations_find_the_same_strengths() -> None:
    votes = mixed(500, polls=(PollRules("duel"),))
    beats, _ = beat_counts(votes)
    met = beats + beats.T
    worth = np.ones(len(beats))
    for _ in range(3000):  # Zermelo (1929); Hunter (2004), equation 3
        worth = beats.sum(axis=1) / (met / (worth[:, None] + worth)).sum(axis=1)
        worth /= np.exp(np.log(worth).mean())
    np.testing.assert_allclose(fit_joint(votes, left_seat=False).estimate, np.log(worth), rtol=0, atol=1e-10)


def test_hunters_iterations_find_the_same_rankings() -> None:
    votes = mixed(300, polls=(PollRules("order", 4, "ranking"),))
    orders = np.take_along_axis(votes.seats, np.argsort(votes.ranks, axis=1), axis=1)
    n = len(votes.contestants)
    worth = np.ones(n)
    for _ in range(2000):  # Hunter (2004), equation 30
        of_order = worth[orders]
        left = np.cumsum(of_order[:, ::-1], axis=1)[:, ::-1][:, :3]
        share = np.cumsum(1 / left, axis=1)[:, [0, 1, 2, 2]]
        worth = np.bincount(orders[:, :3].ravel(), minlength=n) / np.bincount(orders.ravel(), share.ravel())
    theta = np.log(worth)
    np.testing.assert_allclose(fit_joint(votes, left_seat=False).estimate, theta - theta.mean(), rtol=0, atol=1e-9)


def test_covariance_is_the_pseudo_inverse() -> None:
    fit = fit_joint(mixed())
    np.testing.assert_allclose(fit.covariance(), np.linalg.pinv(fit.information, rcond=1e-12), rtol=0, atol=1e-10)
    assert abs(fit.covariance()[: len(fit.contestants)].sum(axis=0)).max() < 1e-12


def test_terms_are_those_the_votes_call_for() -> None:
    assert fit_joint(mixed()).parameters[5:] == (
        *("left:duel", "left:ffa", "tie:fixed", "left:fixed", "tie:order", "tie3:order", "left:order"),
    )
    assert "margin:fixed" in fit_joint(mixed(), ties="rao-kupper").parameters
    assert not [name for name in fit_joint(mixed(), ties="half").parameters if name.endswith("e:fixed")]
    duels = mixed(polls=POLLS[:1])
    assert fit_joint(duels, left_seat=False).parameters == duels.contestants


def test_terms_and_strengths_of_a_world_are_found() -> None:
    n = 12
    truth = np.linspace(-1.0, 1.0, n)
    votes = simulate(World(named(n), truth, polls=POLLS), 60_000, np.random.default_rng(4))
    fit = fit_joint(votes)
    sd = np.sqrt(np.diagonal(fit.covariance()))
    expected = {"left:fixed": 0.2, "left:duel": -0.1, "left:ffa": 0.3, "left:order": 0.1}
    expected |= {"tie:fixed": math.log(0.5), "tie:order": math.log(0.3), "tie3:order": math.log(0.2)}
    values = np.append(truth, [expected[name] for name in fit.parameters[n:]])
    assert np.abs((fit.estimate - values) / sd).max() < 3.5
    assert sd.max() < 0.1


def test_a_long_ranking_with_everybody_in_it() -> None:
    n = 30
    truth = np.linspace(-1.5, 1.5, n)
    rng = np.random.default_rng(6)
    races = [np.argsort(-(truth + rng.gumbel(size=n))) for _ in range(40)]
    names = named(n)
    votes = votes_of(
        [Game(tuple(names[i] for i in race), Outcome("ranking", tuple(range(n))), "race") for race in races]
    )
    fit = fit_joint(votes, left_seat=False)
    assert fit.log_likelihood == pytest.approx(total_written_out(votes, fit, fit.estimate), abs=1e-8)
    assert np.corrcoef(fit.estimate, truth)[0, 1] > 0.95
