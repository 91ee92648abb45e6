"""TrueSkill of frozen checkpoints, against published figures, samples and the package's own closed forms."""

import itertools
import json
import math

import numpy as np
import pytest
import trueskill

from rating.errors import GameError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import votes_of

MU, SIGMA, BETA = 25.0, 25 / 3, 25 / 6


def game(seats: str, outcome: str, poll: str = "duel") -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), poll)


def fold(*games: Game) -> dict[str, list[float]]:
    system = TrueSkillSystem()
    return system.fold(system.start(), votes_of(games))["ratings"]


def test_duel_without_draws_or_dynamics() -> None:
    ratings = fold(game("ab", "1"))
    assert ratings["a"] == pytest.approx([29.2052, 7.19448], abs=1e-4)
    assert ratings["b"] == pytest.approx([20.7948, 7.19448], abs=1e-4)


def test_a_draw_between_equals_only_makes_them_surer() -> None:
    # By hand: the difference N(0, c^2), c^2 = 2 (sigma^2 + beta^2), is cut to +-margin, where the margin is such that
    # P(|N(0, 2 beta^2)| < margin) = 0.1; its variance falls by the share w = m pdf(m) / (cdf(m) - 1/2), m = margin / c;
    # hence sigma^2 by w sigma^4 / c^2.
    normal = trueskill.TrueSkill(backend="scipy")
    m = normal.ppf(0.55) * math.sqrt(2) * BETA / math.sqrt(2 * (SIGMA**2 + BETA**2))
    w = m * normal.pdf(m) / (normal.cdf(m) - 0.5)
    sigma = math.sqrt(SIGMA**2 - SIGMA**4 / (2 * (SIGMA**2 + BETA**2)) * w)
    ratings = fold(game("ab", "1=2", "fixed"))
    assert ratings["a"] == pytest.approx([25.0, sigma], abs=1e-9)
    assert ratings["b"] == pytest.approx([25.0, sigma], abs=1e-9)


def test_a_poll_with_draws_reads_a_win_as_more_than_a_poll_without() -> None:
    assert fold(game("ab", "1", "fixed"))["a"][0] > fold(game("ab", "1", "duel"))["a"][0]


@pytest.mark.parametrize("outcome", ["2>1>4>3", "2>1=4>3", "1=2=3=4"])
def test_rankings_are_close_to_the_exact_posterior(outcome: str) -> None:
    ranks = parse_outcome(outcome, 4).ranks
    rng = np.random.default_rng(11)
    skills = rng.normal(MU, SIGMA, (4, 3_000_000))
    performances = skills + rng.normal(0.0, BETA, skills.shape)
    tied = len(set(ranks)) < 4
    margin = trueskill.calc_draw_margin(0.1, 2, trueskill.TrueSkill(backend="scipy")) if tied else 0.0
    order = np.argsort(ranks, kind="stable")
    kept = np.ones(skills.shape[1], dtype=bool)
    for better, worse in itertools.pairwise(order):
        gap = performances[better] - performances[worse]
        kept &= (np.abs(gap) < margin) if ranks[better] == ranks[worse] else (gap > margin)
    ratings = fold(game("abcd", outcome, "ffa"))
    # Tied seats stand in either order in the chain; their average is what both orders share.
    for rank in set(ranks):
        tier = [seat for seat in range(4) if ranks[seat] == rank]
        assert ratings["abcd"[tier[0]]][0] == pytest.approx(skills[tier][:, kept].mean(), abs=0.15)


@pytest.mark.parametrize("outcome", ["1=2=3=4", "2>1=3=4", "1=2=3>4"])
def test_equals_that_tie_come_out_equal(outcome: str) -> None:
    # The package's chain alone gives the middle one of three tied seats another sigma (5.695 against 5.698).
    ranks = parse_outcome(outcome, 4).ranks
    ratings = fold(game("abcd", outcome, "ffa"))
    for rank in set(ranks):
        tied = [ratings[name] for name, own in zip("abcd", ranks, strict=True) if own == rank]
        assert all(one == pytest.approx(tied[0], abs=1e-12) for one in tied)


def test_losers_of_a_pick_are_not_taken_to_have_drawn() -> None:
    picked, tied = fold(game("abcd", "1", "ffa")), fold(game("abcd", "1>2=3=4", "ffa"))
    assert picked["b"][1] == pytest.approx(7.28, abs=0.01)
    assert tied["b"][1] < 6.5


def test_certainty_grows_without_end_for_what_does_not_change() -> None:
    games = [game("ab", "1"), game("ab", "2")]
    sigmas = [fold(*games * n)["a"][1] for n in (50, 200, 800)]
    # Every vote adds about as much precision; under the usual dynamics (tau = sigma / 100) it stops at 0.79.
    assert sigmas[0] ** 2 / sigmas[1] ** 2 == pytest.approx(4, rel=0.1)
    assert sigmas[1] ** 2 / sigmas[2] ** 2 == pytest.approx(4, rel=0.1)
    assert sigmas[2] < 0.3


def test_value_is_the_conservative_score() -> None:
    system = TrueSkillSystem()
    one = system.standings(system.fold(system.start(), votes_of([game("ab", "1")])))["a"]
    assert one.mu is not None
    assert one.sigma is not None
    assert one.value == pytest.approx(one.mu - 3 * one.sigma)
    assert (one.low, one.high) == pytest.approx((one.mu - 1.96 * one.sigma, one.mu + 1.96 * one.sigma))


def test_the_global_environment_of_the_package_stays_as_it_was() -> None:
    before = trueskill.global_env().tau
    fold(game("ab", "1"), game("ab", "1=2", "fixed"))
    assert trueskill.global_env().tau == before == pytest.approx(25 / 300)


def test_a_draw_beyond_belief_is_an_error_that_names_it() -> None:
    system = TrueSkillSystem()
    far = {"ratings": {"a": [0.0, 0.1], "b": [1e6, 0.1]}}
    with pytest.raises(GameError, match="a draw between a and b"):
        system.fold(far, votes_of([game("ab", "1=2", "fixed")]))


def test_a_win_beyond_belief_moves_both_and_stays_finite() -> None:
    state = TrueSkillSystem().fold({"ratings": {"a": [0.0, 1.0], "b": [1e4, 1.0]}}, votes_of([game("ab", "1")]))
    (a, _), (b, _) = state["ratings"]["a"], state["ratings"]["b"]
    assert 0 < a < b < 1e4
    assert json.loads(json.dumps(state)) == state


def test_the_methodology_names_every_constant() -> None:
    assert TrueSkillSystem().methodology == "trueskill/1 mu=25 sigma=8.33333 beta=4.16667 tau=0 draw=fixed:0.1"
