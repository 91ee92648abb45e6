"""What the votes of a joint fit do not determine: no estimate, terms that are left out, and what a prior holds."""

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from rating.errors import StateError
from rating.fitting import FitOptions, rate
from rating.joint import fit_joint
from rating.stages import Ties
from tests.rating.joint_votes import LAWS, Floats, games, joined, mixed, written_out


def test_who_took_no_part_has_no_strength() -> None:
    votes = mixed()
    wider = replace(votes, contestants=(*votes.contestants, "unseen"))
    fit, narrow = fit_joint(wider), fit_joint(votes)
    assert fit.took_part.tolist() == [True] * 5 + [False]
    assert math.isnan(fit.estimate[5])
    np.testing.assert_allclose(np.delete(fit.estimate, 5), narrow.estimate, rtol=0, atol=1e-12)
    assert not fit.information[5].any()
    assert not fit.covariance()[5].any()
    np.testing.assert_allclose(
        np.delete(np.delete(fit.covariance(), 5, 0), 5, 1), narrow.covariance(), rtol=0, atol=1e-12
    )


def test_votes_on_strangers_have_no_probability() -> None:
    fit = fit_joint(games("ab 1", "ab 2", "ba 1", "ba 2", "bc 1", "cb 1", "bc 2"))
    new = games("ba 1", "ax 1", "ab 1=2", "xyza 1", "bac 3>1>2")
    found = fit.log_probability(new)
    assert np.isfinite(found).tolist() == [True, False, False, False, True]
    assert np.isnan(found).tolist() == [False, True, False, True, False]
    assert found[2] == -math.inf  # nobody ever drew
    scores = fit.scores(new)
    assert scores.parameter.max() < len(fit.parameters)
    assert np.isnan(scores.value[scores.vote == 1]).all()
    assert not (scores.vote == 2).any()


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], "No counted votes"),
        (["ab 1=2", "bc 1=2"], "All counted votes are draws"),
        (["ab 1", "ba 1", "cd 1", "dc 1"], "never met"),
        (["ab 1", "ba 1", "ac 1"], "only one side ever won"),
    ],
)
def test_states_without_an_estimate(texts: list[str], reason: str) -> None:
    with pytest.raises(StateError, match=reason):
        fit_joint(games(*texts))


def test_a_weight_of_zero_leaves_a_vote_out_of_the_state() -> None:
    votes = games("ab 1", "ab 2", "ba 1")
    with pytest.raises(StateError, match="only one side ever won"):
        fit_joint(votes, weights=np.array([1.0, 0.0, 0.0]))
    with pytest.raises(StateError, match="No counted votes"):
        fit_joint(votes, weights=np.zeros(3))


DUELS = ("ab 1", "ab 2", "ba 1", "ba 1", "bc 1", "bc 2", "cb 2")


@pytest.mark.parametrize(("ties", "term"), [("davidson", "tie:fixed"), ("rao-kupper", "margin:fixed")])
@pytest.mark.parametrize("left_seat", [False, True])
def test_a_poll_of_draws_alone_says_nothing(ties: Ties, term: str, left_seat: bool) -> None:
    alone, draws = games(*DUELS, poll="duel"), games("ab 1=2", "ca 1=2", "ab 1=2")
    votes = joined(alone, draws)
    fit, plain = fit_joint(votes, ties=ties, left_seat=left_seat), fit_joint(alone, ties=ties, left_seat=left_seat)
    assert fit.left_out == (term,)
    assert plain.left_out == ()
    assert fit.parameters == plain.parameters
    assert fit.estimate.tolist() == plain.estimate.tolist()
    assert fit.log_likelihood == plain.log_likelihood
    assert fit.covariance().tolist() == plain.covariance().tolist()
    assert fit.scores(votes).vote.max() < len(alone)
    assert fit.log_probability(draws).tolist() == [0.0] * 3
    assert fit.log_probability(games("ab 1")).tolist() == [-math.inf]
    assert fit_joint(votes, ties=ties, left_seat=left_seat, ridge=2.0).left_out == ()


def test_a_poll_of_draws_alone_is_what_ever_likelier_draws_come_to() -> None:
    votes = joined(games(*DUELS, poll="duel"), games("ab 1=2", "ca 1=2", "ab 1=2"))

    def cost(theta: Floats) -> float:
        value = dict(zip("abc", theta, strict=True)) | {"tie:fixed": 30.0}
        return -sum(written_out(game, value, "davidson") for game in votes.games()) + theta.sum() ** 2

    found = minimize(cost, np.zeros(3), tol=1e-12).x
    assert fit_joint(votes, left_seat=False).estimate == pytest.approx(found, abs=1e-5)


def test_draws_that_are_half_wins_always_count() -> None:
    alone, draws = games(*DUELS, poll="duel"), games("ab 1=2", "ca 1=2", "ab 1=2")
    fit = fit_joint(joined(alone, draws), ties="half", left_seat=False)
    assert fit.left_out == ()
    assert fit.estimate[0] != fit_joint(alone, ties="half", left_seat=False).estimate[0]
    ties_of_three = games("abc 1=2=3", poll="fixed")
    assert fit_joint(joined(alone, ties_of_three), ties="half").left_out == ("tie3:fixed",)


def test_larger_votes_that_could_have_tied_keep_the_term_of_smaller_ones() -> None:
    alone, draws = games(*DUELS, poll="duel"), games("ab 1=2", "ca 1=2")
    assert fit_joint(joined(alone, draws, games("abc 1=2=3"))).left_out == ("tie:fixed", "tie3:fixed")
    assert fit_joint(joined(alone, draws, games("abc 2")), left_seat=False).left_out == ("tie:fixed",)
    bounded = fit_joint(joined(alone, draws, games("abc 1>2>3", "abc 2>3>1", "cab 1=2>3")), left_seat=False)
    assert bounded.left_out == ()
    assert np.isfinite(bounded.estimate[bounded.terms["tie:fixed"]])


def test_what_was_left_out_is_told() -> None:
    votes = joined(games(*DUELS, poll="duel"), games("ab 1=2", "ca 1=2"), games("abc 1", "bca 1", poll="ffa"))
    rated = rate(votes, FitOptions(system="joint", cluster="none"))
    assert rated.state.name == "ok"
    assert rated.notes[1:] == (
        "tie:fixed left out: every vote of the poll is a draw",
        "left:ffa left out: the first seat won every vote, or none",
    )


def test_whom_only_draws_connect_is_disconnected() -> None:
    alone, draws = games(*DUELS, poll="duel"), games("cd 1=2", "de 1=2")
    fit = fit_joint(joined(alone, draws))
    assert fit.took_part.tolist() == [True, True, True, False, False]
    apart = games("de 1", "de 2", poll="duel")
    with pytest.raises(StateError, match="never met"):
        fit_joint(joined(alone, draws, apart))
    with pytest.raises(StateError, match="All counted votes are draws"):
        fit_joint(draws)


def test_a_left_seat_that_won_every_vote_is_dropped() -> None:
    assert fit_joint(games("ab 1", "ab 1", "ba 1")).estimate == pytest.approx([math.log(2) / 2, -math.log(2) / 2])
    listed = games(*["abcd 1>2>3>4"] * 3, *["badc 1>2>3>4"] * 2, *["dcba 1>2>3>4"] * 2, poll="ffa")
    fit, plain = fit_joint(listed), fit_joint(listed, left_seat=False)
    assert fit.parameters == plain.parameters == ("a", "b", "c", "d")
    assert fit.left_out == ("left:ffa",)
    assert fit.estimate.tolist() == plain.estimate.tolist()


def test_the_left_seat_is_dropped_where_one_contestant_always_had_it() -> None:
    both_ways = games("ab 1", "ab 2", "ba 1", "ba 2", "ac 1", "ca 1", "ca 2", poll="duel")
    fixed_seat = games("ab 1", "ab 2", "ac 1", "ac 2", poll="always a")
    assert fit_joint(fixed_seat).parameters == ("a", "b", "c")
    # Elsewhere a sat right, too: then its strength is known, and so is the seat.
    assert fit_joint(joined(both_ways, fixed_seat)).parameters[3:] == ("left:always a", "left:duel")
    # Two polls that seat alike: one of the terms would be free without the other poll.
    assert len(fit_joint(joined(fixed_seat, games("ab 1", "ab 2", poll="too"))).parameters) == 4


@pytest.mark.parametrize(
    "texts", [["ab 1=2"], ["ab 1", "cd 1"], ["ab 1"], ["ab 1", "ac 1", "ba 1", "ca 1"], ["abcd 1=2>3>4"]]
)
@pytest.mark.parametrize("ties", LAWS)
def test_a_prior_makes_every_estimate_finite(texts: list[str], ties: Ties) -> None:
    votes = games(*texts)
    fit = fit_joint(votes, ties=ties, ridge=1.5)
    assert np.isfinite(fit.estimate).all()
    prior = np.eye(len(fit.estimate)) / 1.5**2
    scores = fit.scores(votes)
    total = np.bincount(scores.parameter, scores.value, len(fit.estimate))
    np.testing.assert_allclose(total, prior @ fit.estimate, rtol=0, atol=1e-9)
    assert (np.linalg.eigvalsh(fit.information) > 0.9 / 1.5**2).all()
    assert np.abs(fit.covariance()[: len(fit.contestants)].sum(axis=0)).max() < 1e-12
    with pytest.raises(StateError, match="No counted votes"):
        fit_joint(games(), ridge=1.5)


def test_strengths_far_apart_are_found() -> None:
    chain = "abcdefghij"
    ladder: Iterable[str] = (f"{one}{other} {w}" for one, other in pairwise(chain) for w in "12")
    fit_votes = games(*ladder)
    weights = np.tile([1e6, 1.0], 9)
    fit = fit_joint(fit_votes, left_seat=False, weights=weights)
    np.testing.assert_allclose(np.diff(fit.estimate), -math.log(1e6), rtol=1e-9)


def test_too_many_ways_to_tie_are_refused() -> None:
    names = "abcdefghijklmnopqrst"
    tied = names + " " + "=".join(map(str, range(1, 11))) + ">" + "=".join(map(str, range(11, 21)))
    with pytest.raises(StateError, match="184,776 ways"):
        fit_joint(games(tied, *(f"{one}{other} 1" for one in names for other in names if one != other)))
