"""What must not change a joint fit: the order of votes, names, seats, weights said otherwise, where it starts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.errors import RatingError
from rating.joint import fit_joint
from rating.stages import Ties
from tests.rating.joint_votes import LAWS, POLLS, Floats, bits, mixed


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(LAWS), st.booleans())
def test_the_order_of_votes_has_no_influence_to_the_bit(random: "st.random.Random", ties: Ties, left: bool) -> None:
    votes = mixed(300)
    order = list(range(len(votes)))
    random.shuffle(order)
    shuffled = votes.take(np.array(order))
    assert bits(fit_joint(votes, ties=ties, left_seat=left)) == bits(fit_joint(shuffled, ties=ties, left_seat=left))


def test_seats_have_no_influence_without_a_bonus_of_the_first() -> None:
    votes = mixed()
    turned = replace(votes, seats=votes.seats.copy(), ranks=votes.ranks.copy())
    for size in (2, 4):
        rows = votes.sizes == size
        turned.seats[rows, :size] = votes.seats[rows, :size][:, ::-1]
        turned.ranks[rows, :size] = votes.ranks[rows, :size][:, ::-1]
    one, other = fit_joint(votes, left_seat=False), fit_joint(turned, left_seat=False)
    np.testing.assert_allclose(one.estimate, other.estimate, rtol=0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(5)), st.sampled_from(LAWS))
def test_names_have_no_influence(new: list[int], ties: Ties) -> None:
    votes = mixed(300)
    old = fit_joint(votes, ties=ties)
    code = np.append(np.array(new, dtype=np.int32), np.int32(-1))
    renamed = fit_joint(replace(votes, seats=code[votes.seats]), ties=ties)
    np.testing.assert_allclose(renamed.estimate[new], old.estimate[:5], rtol=0, atol=1e-9)
    np.testing.assert_allclose(renamed.estimate[5:], old.estimate[5:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("ties", LAWS)
def test_a_weight_of_two_is_the_vote_twice(ties: Ties) -> None:
    votes = mixed(400)
    weights = np.random.default_rng(1).integers(0, 4, len(votes))
    repeated = votes.take(np.repeat(np.arange(len(votes)), weights))
    assert bits(fit_joint(votes, ties=ties, weights=weights.astype(float))) == bits(fit_joint(repeated, ties=ties))


def test_scaled_weights_scale_the_information_alone() -> None:
    votes = mixed()
    once, seldom = fit_joint(votes), fit_joint(votes, weights=np.full(len(votes), 1e-3))
    np.testing.assert_allclose(seldom.estimate, once.estimate, rtol=0, atol=1e-10)
    np.testing.assert_allclose(seldom.information, 1e-3 * once.information, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weights", [np.ones(3), np.full(900, -1.0), np.full(900, math.nan), np.full(900, math.inf)])
def test_weights_must_be_weights(weights: Floats) -> None:
    with pytest.raises(RatingError, match="weights must be 900 finite numbers"):
        fit_joint(mixed(), weights=weights)


def test_a_former_estimate_saves_iterations_and_changes_nothing() -> None:
    votes = mixed()
    fit = fit_joint(votes)
    again = fit_joint(votes, start=fit.estimate)
    assert again.iterations == 1
    np.testing.assert_allclose(again.estimate, fit.estimate, rtol=0, atol=1e-12)
    strengths_only = fit_joint(votes, start=fit.estimate[:5])
    np.testing.assert_allclose(strengths_only.estimate, fit.estimate, rtol=0, atol=1e-12)


def test_a_former_estimate_of_more_contestants_serves_with_a_prior() -> None:
    votes = mixed()
    fewer = votes.take(~(votes.seats == 4).any(axis=1))
    start = fit_joint(votes, ridge=3.0).estimate
    found, expected = fit_joint(fewer, ridge=3.0, start=start), fit_joint(fewer, ridge=3.0)
    assert found.iterations < 8
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=0, atol=1e-12)


def test_votes_that_do_not_count_have_neither_probability_nor_scores() -> None:
    votes = mixed(400, polls=(replace(POLLS[2], bad=0.1, skip=0.1),))
    fit = fit_joint(votes)
    assert (np.isnan(fit.log_probability(votes)) == ~votes.counted).all()
    assert votes.counted[fit.scores(votes).vote].all()
    assert bits(fit) == bits(fit_joint(votes.take(votes.counted)))
