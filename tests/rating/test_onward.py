"""Where further votes move a joint fit, against arithmetic by hand and the fit of all votes."""

import json

import numpy as np
import pytest

from rating.covariance import clustered_covariance
from rating.game import Game
from rating.joint import fit_joint
from rating.onward import Onward
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes, votes_of

POLLS = (
    PollRules("duel", 2, "duel", left=-0.1),
    PollRules("ffa", 4, "pick", left=0.3),
    PollRules("fixed", 2, "draws", tie=0.5, left=0.2),
)


def games(*texts: str) -> Votes:
    """Votes written as "ab 1"."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), "duel") for seats, outcome in pairs])


def mixed(count: int, seed: int = 1) -> Votes:
    return simulate(World(named(8), np.linspace(-1.0, 1.0, 8), polls=POLLS), count, np.random.default_rng(seed))


def fitted(votes: Votes) -> Onward:
    fit = fit_joint(votes)
    return Onward.of(fit, clustered_covariance(fit, votes), len(votes))


def test_the_step_is_that_of_a_calculation_by_hand() -> None:
    votes = games("ab 1", "ab 1", "ab 2", "ba 2", "ba 2", "ba 1")
    onward = fitted(votes)
    # a wins 2 of 3 in either seat: the difference is log 2, and the left seat has no bonus.
    assert onward.fit.estimate == pytest.approx([np.log(2) / 2, -np.log(2) / 2, 0], abs=1e-9)
    # Of the difference and of the bonus, six votes inform 6 * 2/9 = 4/3 each, and nothing of both. One more win of a
    # has the gradient 1 - 2/3 in the difference; 6 votes of 7 gave the information.
    assert onward.with_votes(games("ab 1")).moves() == pytest.approx({"a": 3 / 28, "b": -3 / 28})


def test_the_step_comes_close_to_the_fit_of_all_votes() -> None:
    votes = mixed(6000)
    before, after = fitted(votes.take(np.arange(5700))), fit_joint(votes)
    onward = before.with_votes(votes.take(np.arange(5700, 6000)))
    moved = np.array([onward.moves()[name] for name in votes.contestants])
    n = len(moved)
    error = np.sqrt(np.diag(after.covariance())[:n])
    wanted = after.estimate[:n] - before.fit.estimate[:n]
    assert np.abs(wanted / error).max() > 0.2
    assert np.abs((moved - wanted) / error).max() < 0.02


def test_pieces_through_json_end_where_all_at_once_does() -> None:
    votes = mixed(2000)
    start = fitted(votes.take(np.arange(1000)))
    whole, pieces = start.with_votes(votes.take(np.arange(1000, 2000))), start
    for first in range(1000, 2000, 125):
        pieces = Onward.from_state(json.loads(json.dumps(pieces.as_state())))
        pieces = pieces.with_votes(votes.take(np.arange(first, first + 125)))
    assert pieces.further == whole.further == 1000
    assert pieces.moves() == pytest.approx(whole.moves(), abs=1e-12)
    again = Onward.from_state(json.loads(json.dumps(whole.as_state())))
    assert again.moves() == whole.moves()
    assert np.allclose(again.covariance.matrix, whole.covariance.matrix, rtol=1e-12)
    assert again.covariance.dof == whole.covariance.dof
    assert set(whole.at_rest().moves().values()) == {0.0}


def test_votes_that_the_fit_cannot_explain_wait_for_the_next() -> None:
    votes = games("ab 1", "ab 2", "bc 1", "bc 2", "ca 1", "ca 2")
    onward = fitted(votes)
    waited = onward.with_votes(games("an 1", "ab 1=2"))
    assert (waited.further, waited.moves()) == (0, onward.moves())
    assert onward.with_votes(games("an 1", "ab 1", "ab 1=2")).moves() == onward.with_votes(games("ab 1")).moves()
