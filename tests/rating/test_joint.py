"""The joint fit against a likelihood written out by hand, other solvers, and simulated worlds."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from rating.errors import RatingError, StateError
from rating.fitting import FitOptions, rate
from rating.game import Game
from rating.graph import beat_counts
from rating.joint import JointFit, fit_joint
from rating.outcomes import Outcome, format_outcome, parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.stages import Ties
from rating.votes import Votes, votes_of

Floats = NDArray[np.float64]
POLLS = (
    PollRules("duel", 2, "duel", left=-0.1),
    PollRules("ffa", 4, "pick", left=0.3),
    PollRules("fixed", 2, "draws", tie=0.5, left=0.2),
    PollRules("order", 4, "ranking", tie=0.3, larger_ties=(0.2,), left=0.1),
)
LAWS: tuple[Ties, ...] = ("davidson", "rao-kupper", "half")


def mixed(votes: int = 900, n: int = 5, seed: int = 1, polls: tuple[PollRules, ...] = POLLS) -> Votes:
    """Votes of four kinds of polls, with ties of two and three."""
    return simulate(World(named(n), np.linspace(-1.0, 1.0, n), polls=polls), votes, np.random.default_rng(seed))


def games(*texts: str, poll: str = "fixed") -> Votes:
    """Votes written as "ab 1": seats by one letter each, then the outcome."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), poll) for seats, outcome in pairs])


def written_out(game: Game, value: Mapping[str, float], ties: Ties) -> float:
    """The log probability of one outcome, from the definition, by plain loops."""
    if len(game.seats) == 2 and ties != "davidson":
        return duel_written_out(game, value, ties)
    left = value.get(f"left:{game.poll}", 0.0)
    utility = {name: value[name] + left * (name == game.seats[0]) for name in game.seats}
    sizes = {1: 0.0}
    for t in range(2, len(game.seats) + 1):
        name = f"tie{'' if t == 2 else t}:{game.poll}"
        if name in value and (not game.is_pick or len(game.seats) == 2):
            sizes[t] = value[name]
    total, ranks = 0.0, dict(zip(game.seats, game.outcome.ranks, strict=True))
    for rank in [0] if game.is_pick else sorted(set(game.outcome.ranks)):
        available = [name for name in game.seats if ranks[name] >= rank]
        weights = {
            chosen: math.exp(sum(utility[name] for name in chosen) / t + log_nu)
            for t, log_nu in sizes.items()
            for chosen in combinations(available, t)
        }
        chosen = tuple(name for name in available if ranks[name] == rank)
        total += math.log(weights[chosen] / sum(weights.values()))
    return total


def duel_written_out(game: Game, value: Mapping[str, float], ties: Ties) -> float:
    """Rao and Kupper (1967), equations 2.5; or half a win each."""
    one, other = game.seats
    a, b = math.exp(value[one] + value.get(f"left:{game.poll}", 0.0)), math.exp(value[other])
    if ties == "half":
        wins = [math.log(a / (a + b)), math.log(b / (a + b))]
        return sum(wins) / 2 if game.outcome.kind == "draw" else wins[game.outcome.ranks.index(0)]
    nu = math.exp(value.get(f"margin:{game.poll}", 0.0))
    if game.outcome.kind == "draw":
        return math.log(a * b * (nu * nu - 1) / ((a + nu * b) * (nu * a + b)))
    return math.log((a / (a + nu * b), b / (nu * a + b))[game.outcome.ranks.index(0)])


def total_written_out(votes: Votes, fit: JointFit, at: Floats) -> float:
    value = dict(zip(fit.parameters, at.tolist(), strict=True))
    return sum(written_out(game, value, fit.ties) for game in votes.games())


def bits(fit: JointFit) -> tuple[bytes, bytes, float]:
    return fit.estimate.tobytes(), fit.information.tobytes(), fit.log_likelihood


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


def test_votes_that_do_not_count_have_neither_probability_nor_scores() -> None:
    votes = mixed(400, polls=(replace(POLLS[2], bad=0.1, skip=0.1),))
    fit = fit_joint(votes)
    assert (np.isnan(fit.log_probability(votes)) == ~votes.counted).all()
    assert votes.counted[fit.scores(votes).vote].all()
    assert bits(fit) == bits(fit_joint(votes.take(votes.counted)))


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


def joined(*parts: Votes) -> Votes:
    return votes_of([game for part in parts for game in part.games()])


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
