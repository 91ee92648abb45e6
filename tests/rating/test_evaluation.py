"""Predictions are scored by their definitions, and nothing is predicted from what it should predict."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from rating.elo import EloSystem
from rating.errors import RatingError, StateError
from rating.evaluation import (
    Bin,
    DrawScoring,
    cluster_folds,
    cross_validate,
    elo_forecaster,
    evaluate,
    joint_forecast,
    time_split,
    trueskill_forecaster,
    walk_forward,
)
from rating.game import Game
from rating.joint import JointFit, fit_joint
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, answers, design, named, simulate
from rating.system import Estimate
from rating.votes import Votes, votes_of

Floats = NDArray[np.float64]
PHI = NormalDist().cdf


def votes(*rows: str) -> Votes:
    """Rows such as "a b 1" in poll "poll": seats, then the outcome."""
    games = []
    for at, row in enumerate(rows):
        *seats, outcome = row.split()
        parsed = parse_outcome(outcome, len(seats))
        games.append(Game(tuple(seats), parsed, "poll", time=float(at), voter=f"v{at % 7}"))
    return votes_of(games)


def duels(count: int, *, tie: float = 0.0, seed: int = 1, n: int = 8) -> Votes:
    rules = PollRules("poll", 2, "draws" if tie else "duel", tie=tie)
    world = World(named(n), np.linspace(-1.5, 1.5, n), (rules,), voters=60)
    return simulate(world, count, np.random.default_rng(seed))


def swapped(of: Votes) -> Votes:
    return replace(of, seats=of.seats[:, ::-1], ranks=of.ranks[:, ::-1])


class TestScores:
    def test_decided_duels_by_hand(self) -> None:
        found = evaluate(np.array([[0.8, 0.2, 0], [0.6, 0.4, 0], [0.5, 0.5, 0]]), votes("a b 1", "a b 2", "a b 1"))
        assert found.votes == 3
        assert found.log_loss == pytest.approx(-(log(0.8) + log(0.4) + log(0.5)) / 3)
        assert found.brier == pytest.approx(2 * (0.2**2 + 0.6**2 + 0.5**2) / 3)
        assert found.accuracy == pytest.approx((1 + 0 + 0.5) / 3)
        # Seats: .8 won, .2 lost, .6 lost, .4 won, .5 won and lost once: errors .2 .2 .6 .6 0 0.
        assert found.ece == pytest.approx(1.6 / 6)
        assert [(row.low, row.count) for row in found.reliability] == [(0.2, 1), (0.4, 1), (0.5, 2), (0.6, 1), (0.8, 1)]
        assert found.reliability[2] == Bin(0.5, 0.6, 2, 0.5, 0.5)

    def test_a_draw_is_an_event_of_its_own_where_draws_have_a_probability(self) -> None:
        forecast = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
        own = evaluate(forecast, votes("a b 1=2", "a b 2"))
        assert own.log_loss == pytest.approx(-(log(0.2) + log(0.3)) / 2)
        assert own.brier == pytest.approx((0.25 + 0.09 + 0.64 + 0.25 + 0.49 + 0.04) / 2)
        assert own.accuracy == 0
        assert sum(row.count for row in own.reliability) == 6

    def test_a_draw_is_half_of_each_where_it_has_none(self) -> None:
        found = evaluate(np.array([[0.7, 0.3, 0]]), votes("a b 1=2"))
        assert found.log_loss == pytest.approx(-(log(0.7) + log(0.3)) / 2)
        assert found.brier == pytest.approx(0.2**2 + 0.2**2)
        assert found.accuracy == 0.5

    def test_halves_make_forecasts_with_and_without_draws_comparable(self) -> None:
        some = votes("a b 1=2", "a b 2")
        three = evaluate(np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]), some, draws="halves")
        two = evaluate(np.array([[0.6, 0.4, 0], [0.5, 0.5, 0]]), some)
        assert three.log_loss == pytest.approx(two.log_loss)
        assert (three.brier, three.accuracy, three.votes) == pytest.approx((two.brier, two.accuracy, two.votes))

    @pytest.mark.parametrize("draws", ["own", "halves"])
    def test_no_forecast_beats_the_truth(self, draws: DrawScoring) -> None:
        """Both ways to score are proper: the true probabilities do best, here against sharper and flatter ones."""
        some = duels(20_000, tie=1.0)
        gap = np.linspace(-1.5, 1.5, 8)[some.seats] @ [1, -1]
        losses = []
        for sharpness in (1.0, 0.8, 1.25):
            weight = np.exp(np.column_stack([gap, -gap, np.zeros(len(gap))]) * sharpness / 2)
            losses.append(evaluate(weight / weight.sum(axis=1, keepdims=True), some, draws=draws).log_loss)
        assert losses[0] < min(losses[1:])

    def test_several_seats_are_scored_by_who_came_first(self) -> None:
        forecast = np.array([[0.4, 0.3, 0.2, 0.1, 0]] * 3)
        found = evaluate(forecast, votes("a b c d 2", "a b c d 3>1>2>4", "a b c d 1=4>2=3"))
        assert found.log_loss == pytest.approx(-(log(0.3) + log(0.2) + (log(0.4) + log(0.1)) / 2) / 3)
        assert found.accuracy == pytest.approx(0.5 / 3)

    def test_a_certain_forecast_that_fails_loses_everything(self) -> None:
        assert evaluate(np.array([[1.0, 0.0, 0.0]]), votes("a b 2")).log_loss == np.inf

    def test_the_truth_is_calibrated_and_boasting_is_not(self) -> None:
        some = duels(20_000)
        gap = np.linspace(-1.5, 1.5, 8)[some.seats] @ [1, -1]
        scored = []
        for boast in (0.5, 1.0, 2.0):
            p = 1 / (1 + np.exp(-boast * gap))
            scored.append(evaluate(np.column_stack([p, 1 - p, np.zeros(len(p))]), some))
        timid, honest, loud = scored
        assert honest.ece < 0.01
        assert min(timid.ece, loud.ece) > 0.05
        assert honest.log_loss < min(timid.log_loss, loud.log_loss)
        assert honest.brier < min(timid.brier, loud.brier)
        assert honest.accuracy == pytest.approx(loud.accuracy)

    def test_what_is_not_counted_or_not_known_is_not_scored(self) -> None:
        rules = PollRules("poll", bad=0.3, skip=0.2)
        some = simulate(World(named(3), np.zeros(3), (rules,)), 400, np.random.default_rng(0))
        forecast = np.tile([0.5, 0.5, 0.0], (400, 1))
        forecast[:100] = np.nan
        found = evaluate(forecast, some)
        assert found.votes == some.counted[100:].sum()
        assert found.unscored == some.counted[:100].sum()
        with pytest.raises(RatingError, match="none of the votes"):
            evaluate(forecast[:100], some.take(np.arange(100)))


class TestWalkForward:
    def test_elo_is_scored_vote_by_vote(self) -> None:
        """A second implementation, in a loop."""
        some, ratings, losses = duels(250, tie=0.5), dict.fromkeys(range(8), 1500.0), []
        for (a, b), ranks in zip(some.seats.tolist(), some.ranks.tolist(), strict=True):
            p = 1 / (1 + 10 ** ((ratings[b] - ratings[a]) / 400))
            actual = 0.5 if ranks == [0, 0] else float(ranks[0] == 0)
            losses.append(-actual * log(p) - (1 - actual) * log(1 - p))
            ratings[a] += 16 * (actual - p)
            ratings[b] -= 16 * (actual - p)
        found = walk_forward(EloSystem(k=16), some, elo_forecaster())
        assert found.log_loss == pytest.approx(np.mean(losses), rel=1e-12)
        late = walk_forward(EloSystem(k=16), some, elo_forecaster(), burn_in=100)
        assert late.votes == 150
        assert late.log_loss == pytest.approx(np.mean(losses[100:]), rel=1e-12)

    def test_nothing_is_known_before_the_first_vote(self) -> None:
        first = duels(1)
        found = walk_forward(EloSystem(), first, elo_forecaster())
        assert found.log_loss == pytest.approx(log(2))
        assert walk_forward(EloSystem(), duels(50), elo_forecaster(), step=50).log_loss == pytest.approx(log(2))

    def test_a_state_that_lags_predicts_from_fewer_votes(self) -> None:
        some = duels(600)
        every = [walk_forward(EloSystem(), some, elo_forecaster(), step=step).log_loss for step in (3, 7, 300)]
        assert every[0] == pytest.approx(every[1], abs=0.02)
        assert every[2] > every[0] + 0.02

    def test_the_order_of_the_seats_has_no_say(self) -> None:
        some = duels(120, tie=0.5)
        one, other = (walk_forward(EloSystem(), each, elo_forecaster()) for each in (some, swapped(some)))
        assert other.log_loss == pytest.approx(one.log_loss, rel=1e-12)
        assert other.ece == pytest.approx(one.ece, rel=1e-9)


class TestForecasters:
    def test_elo_of_several_is_in_proportion(self) -> None:
        standings = {"a": Estimate(1500.0), "b": Estimate(1900.0), "c": Estimate(1500.0)}
        p = elo_forecaster()(standings, votes("a b c d 1", "a b c d 2"))
        assert p[0] == pytest.approx([1 / 13, 10 / 13, 1 / 13, 1 / 13, 0])

    def test_elo_two_million_points_apart_is_certain(self) -> None:
        p = elo_forecaster()({"a": Estimate(1e6), "b": Estimate(-1e6)}, votes("a b 1"))
        assert p.tolist() == [[1, 0, 0]]

    def test_trueskill_of_a_duel_is_the_normal_integral(self) -> None:
        standings = {"a": Estimate(0.0, mu=27.0, sigma=2.0), "b": Estimate(0.0, mu=24.0, sigma=3.0)}
        beta, share = 25 / 6, 0.1
        margin, c = NormalDist().inv_cdf(0.55) * sqrt(2) * beta, sqrt(2 * beta**2 + 4 + 9)
        win, lose = PHI((3 - margin) / c), PHI((-3 - margin) / c)
        p = trueskill_forecaster(draw_probability={"poll": share})(standings, votes("a b 1"))
        assert p[0] == pytest.approx([win, lose, 1 - win - lose])
        plain = trueskill_forecaster()(standings, votes("a b 1"))
        assert plain[0] == pytest.approx([PHI(3 / c), PHI(-3 / c), 0])
        equals = trueskill_forecaster(sigma=0.0, draw_probability={"poll": share})({}, votes("a b 1"))
        assert equals[0, 2] == pytest.approx(share)

    def test_trueskill_of_several_is_the_chance_to_be_best(self) -> None:
        skills = {"a": (25.0, 8.0), "b": (30.0, 2.0), "c": (20.0, 1.0), "d": (26.0, 5.0)}
        standings = {name: Estimate(0.0, mu=mu, sigma=sigma) for name, (mu, sigma) in skills.items()}
        p = trueskill_forecaster()(standings, votes("a b c d 1", "c b a 2>1>3", "a b 1"))
        rng, count = np.random.default_rng(0), 400_000
        drawn = {name: rng.normal(mu, sqrt(sigma**2 + (25 / 6) ** 2), count) for name, (mu, sigma) in skills.items()}
        for row, seats in ((0, "abcd"), (1, "cba")):
            best = np.bincount(np.argmax([drawn[name] for name in seats], axis=0), minlength=4) / count
            assert p[row, :4] == pytest.approx(best, abs=5 * 0.5 / sqrt(count))
        assert p.sum(axis=1) == pytest.approx(1)
        assert p[2, 0] == pytest.approx(PHI(-5 / sqrt(2 * (25 / 6) ** 2 + 64 + 4)))

    @pytest.mark.parametrize("ties", ["davidson", "rao-kupper", "half"])
    def test_a_joint_fits_chances_add_up_to_one(self, ties: str) -> None:
        polls = (PollRules("a", 2, "draws", tie=0.5, left=0.3), PollRules("b", 4, "pick"))
        some = simulate(World(named(6), np.linspace(-1, 1, 6), polls), 2000, np.random.default_rng(2))
        fit = fit_joint(some, ties=ties)  # type: ignore[arg-type]
        p = joint_forecast(fit, some)
        assert p.sum(axis=1) == pytest.approx(1)
        assert ((p[:, -1] > 0) == ((some.poll == 0) & (ties != "half"))).all()

    def test_a_joint_fits_duel_is_bradley_terry_with_the_left_seat(self) -> None:
        some = duels(2000)
        fit = fit_joint(some)
        place = fit.terms["left:poll"]
        theta = fit.estimate[some.seats]
        expected = 1 / (1 + np.exp(theta[:, 1] - theta[:, 0] - fit.estimate[place]))
        assert joint_forecast(fit, some)[:, 0] == pytest.approx(expected)


class TestHeldOut:
    def test_each_vote_is_predicted_by_a_fit_to_the_other_folds(self) -> None:
        some = duels(900, tie=0.4)
        folds = cluster_folds(some, 3, np.random.default_rng(0))
        losses = []
        for fold in range(3):
            fit = fit_joint(some.take(folds != fold))
            losses.append(-fit.log_probability(some.take(folds == fold)))
        found = cross_validate(some, folds)
        assert found.log_loss == pytest.approx(np.concatenate(losses).mean())
        assert found.outcome_log_loss == pytest.approx(found.log_loss)
        assert found.votes == 900

    def test_votes_without_a_voter_are_spread_and_the_others_stay_together(self) -> None:
        some = duels(3000)
        folds = cluster_folds(some, 5, np.random.default_rng(0))
        assert all(len(set(folds[some.voter == voter])) == 1 for voter in set(some.voter.tolist()))
        anonymous = replace(some, voter=np.full(3000, -1, np.int32))
        by_prompt = cluster_folds(some, 5, np.random.default_rng(0), "prompt")
        assert all(len(set(by_prompt[some.prompt == prompt])) == 1 for prompt in set(some.prompt.tolist()) - {-1})
        assert np.bincount(cluster_folds(anonymous, 5, np.random.default_rng(0))).tolist() == [600] * 5

    def test_a_time_split_predicts_the_latest_from_the_earlier(self) -> None:
        some = duels(1000)
        shuffled = some.take(np.random.default_rng(1).permutation(1000))
        folds = time_split(shuffled, 0.25)
        assert sorted(shuffled.times[folds == 0].tolist()) == list(range(750, 1000))
        seen: list[Votes] = []

        def fit(part: Votes) -> JointFit:
            seen.append(part)
            return fit_joint(part)

        assert cross_validate(shuffled, folds, fit).votes == 250
        assert sorted(seen[0].times.tolist()) == list(range(750))

    def test_votes_not_fitted_are_predicted_worse_than_those_that_were(self) -> None:
        some = duels(2000)
        fitted = -fit_joint(some).log_likelihood / len(some)
        assert cross_validate(some, cluster_folds(some, 5, np.random.default_rng(0))).log_loss > fitted

    def test_a_ranking_counts_whole_in_the_outcomes_loss(self) -> None:
        rules = PollRules("poll", 4, "ranking", tie=0.3)
        some = simulate(World(named(6), np.linspace(-1, 1, 6), (rules,)), 1500, np.random.default_rng(2))
        found = cross_validate(some, time_split(some))
        assert found.outcome_log_loss is not None
        assert found.log_loss < log(4)
        assert log(4) < found.outcome_log_loss < log(24) + 0.6

    def test_a_newcomer_of_the_held_out_votes_is_not_scored(self) -> None:
        some = votes(*["a b 1", "b c 1", "c a 1", "b a 1", "c b 1", "a c 1"] * 4, "a d 1", "a b 1")
        found = cross_validate(some, time_split(some, 2 / 26), partial(fit_joint, left_seat=False))
        assert (found.votes, found.unscored) == (1, 1)

    def test_what_determines_no_fit_is_an_error_unless_there_is_a_prior(self) -> None:
        some = votes("a b 1", "a b 1", "a b 1", "a b 1")
        with pytest.raises(StateError):
            cross_validate(some, time_split(some, 0.25))
        ridge: Callable[[Votes], JointFit] = partial(fit_joint, ridge=1.0)
        assert 0 < cross_validate(some, time_split(some, 0.25), ridge).log_loss < log(2)

    def test_folds_of_another_length_are_refused(self) -> None:
        with pytest.raises(RatingError, match="one fold for each of 5 votes"):
            cross_validate(duels(5), np.zeros(4, np.intp))


def test_the_joint_fit_predicts_a_static_world_better_than_elo() -> None:
    world = World(named(8), np.linspace(-1.5, 1.5, 8), (PollRules("poll"),))
    some = answers(world, design(world, 2000, np.random.default_rng(0)), np.random.default_rng(1))
    joint = cross_validate(some, time_split(some, 0.5))
    elo = walk_forward(EloSystem(k=32), some, elo_forecaster(), step=10, burn_in=1000)
    assert joint.votes == elo.votes == 1000
    assert joint.log_loss < elo.log_loss
