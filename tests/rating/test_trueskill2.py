"""TrueSkill 2: its limits, its scale, what has no influence, and what cannot be fitted."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rating.errors import LineageError, PriorError, StateError
from rating.evidence import UNITS_PER_NAT
from rating.game import Game
from rating.trueskill2 import Lineage, fit_trueskill2
from rating.votes import votes_of
from tests.rating.polls_and_runs import mode_world, vote


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
