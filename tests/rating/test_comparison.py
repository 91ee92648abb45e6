"""Is B better than A: arithmetic by hand, and worlds in which one keeps looking."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from rating import student
from rating.comparison import SPREAD, Comparison, always_critical, compare, evidence
from rating.covariance import Cluster, clustered_covariance
from rating.errors import RatingError, StateError, UnknownContestantError
from rating.game import Game
from rating.joint import fit_joint
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes, votes_of


def duel(a: str, b: str, outcome: str, voter: str = "", prompt: str = "") -> Game:
    return Game((a, b), parse_outcome(outcome, 2), "duel", voter=voter, prompt=prompt)


def comparison(votes: Votes, a: str, b: str, cluster: Cluster = "voter", **settings: float) -> Comparison:
    fit = fit_joint(votes, left_seat=False)
    return compare(fit, clustered_covariance(fit, votes, cluster), votes, a, b, cluster=cluster, **settings)


def one_sided(wins: int, losses: int) -> Votes:
    return votes_of([duel("a", "b", "2")] * wins + [duel("b", "a", "2")] * losses)


def test_two_contestants_by_hand() -> None:
    # 65 to 35: log odds log(65 / 35), information 100 * 0.65 * 0.35.
    found = comparison(one_sided(65, 35), "a", "b", "none")
    assert found.difference == pytest.approx(math.log(65 / 35))
    assert found.se == pytest.approx(1 / math.sqrt(22.75), rel=0.02)
    # Leverages go as the squared residuals: their sum squared over the sum of their squares.
    assert found.dof == pytest.approx((65 * 0.35**2 + 35 * 0.65**2) ** 2 / (65 * 0.35**4 + 35 * 0.65**4))
    half = student.quantile(0.975, found.dof) * found.se
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))
    assert found.probability == pytest.approx(float(student.cdf(found.difference / found.se, found.dof)))
    assert (found.a_wins, found.b_wins, found.draws) == (35, 65, 0)
    # Significant for one look, not for one who has looked all along.
    assert found.low > 0.0 > found.always_low
    assert found.verdict == "undecided"
    assert found.e_value == pytest.approx(evidence(65, 35))


def test_swapped_names_mirror_everything() -> None:
    votes = simulate(World(named(4), np.array([0.0, 0.3, 0.6, 0.9]), voters=40), 800, np.random.default_rng(1))
    one = comparison(votes, "contestant-0", "contestant-3")
    other = comparison(votes, "contestant-3", "contestant-0")
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.always_low) == pytest.approx((-other.high, -other.always_high))
    assert one.probability == pytest.approx(1.0 - other.probability)
    assert (one.a_wins, one.b_wins) == (other.b_wins, other.a_wins)
    assert (one.verdict, other.verdict) == ("B", "A")
    assert one.e_value == pytest.approx(other.e_value)
    assert one.more_votes == one.more_duels == 0


def test_contestants_that_never_met() -> None:
    games = [duel("a", "b", "1"), duel("b", "a", "1"), duel("b", "c", "1"), duel("c", "b", "1")] * 20
    found = comparison(votes_of(games), "a", "c")
    assert (found.a_wins, found.b_wins, found.draws, found.e_value) == (0, 0, 0, 1.0)
    assert found.difference == pytest.approx(0.0, abs=1e-9)
    assert found.verdict == "undecided"


def test_draws_and_larger_votes_are_no_direct_wins() -> None:
    larger = Game(("a", "b", "c"), parse_outcome("1", 3), "pick")
    third = Game(("a", "b", "c"), parse_outcome("3", 3), "pick")
    games = [duel("a", "b", "1=2"), duel("b", "a", "1=2"), duel("a", "b", "1"), duel("a", "b", "2"), larger, third]
    found = comparison(votes_of(games * 5), "a", "b")
    assert (found.a_wins, found.b_wins, found.draws) == (5, 5, 10)


def test_evidence_takes_each_voter_once() -> None:
    games = [duel("a", "b", "2", voter="anna", prompt="sea")] * 40
    games += [duel("a", "b", "2", voter="ben", prompt="sea"), duel("b", "a", "1", voter="cleo", prompt="sky")]
    games += [duel("a", "b", "1"), duel("a", "b", "1=2", voter="dan"), duel("a", "b", "1", voter="dan")]
    votes = votes_of(games)
    # By voter: anna, ben and cleo for b; an unknown one and dan (after his draw) for a.
    assert comparison(votes, "a", "b", "voter").e_value == pytest.approx(evidence(3, 2))
    assert comparison(votes, "a", "b", "prompt").e_value == pytest.approx(evidence(2, 2))
    assert comparison(votes, "a", "b", "both").e_value == pytest.approx(evidence(2, 2))
    assert comparison(votes, "a", "b", "none").e_value == pytest.approx(evidence(42, 2))


def test_evidence_is_a_martingale() -> None:
    assert evidence(0, 0) == 1.0
    for wins, losses in product(range(12), repeat=2):
        after = (evidence(wins + 1, losses) + evidence(wins, losses + 1)) / 2.0
        assert after == pytest.approx(evidence(wins, losses), rel=1e-12)
    # The mixture written out: the mean of 2^m p^wins (1-p)^losses over Beta(12, 12).
    p = (np.arange(20000) + 0.5) / 20000
    density = p**11 * (1 - p) ** 11
    ratio = 2.0**17 * p**12 * (1 - p) ** 5
    assert evidence(12, 5) == pytest.approx((density * ratio).sum() / density.sum(), rel=1e-6)
    assert evidence(5000, 0) == pytest.approx(1e300, rel=1.0)


def test_evidence_rarely_misleads() -> None:
    # Exact: the probability that fair coins ever bring it to 20 within 1000 duels, by dynamic programming.
    alive, crossed = {0: 1.0}, 0.0
    for duels in range(1, 1001):
        after: dict[int, float] = {}
        for wins, mass in alive.items():
            for now in (wins, wins + 1):
                after[now] = after.get(now, 0.0) + mass / 2.0
        crossed += sum(mass for wins, mass in after.items() if evidence(wins, duels - wins) >= 20.0)
        alive = {wins: mass for wins, mass in after.items() if evidence(wins, duels - wins) < 20.0}
    assert 0.01 < crossed <= 0.05


def test_boundary_by_hand() -> None:
    # Waudby-Smith et al. (2024), equation 9, at time 1/se^2 and rho = SPREAD.
    time = 1.0 / 0.05**2
    rho2 = SPREAD**2
    half = math.sqrt((time * rho2 + 1.0) / (time**2 * rho2) * math.log((time * rho2 + 1.0) / 0.05**2))
    assert always_critical(0.05) * 0.05 == pytest.approx(half)
    assert always_critical(0.05, dof=1e4) == pytest.approx(always_critical(0.05), rel=0.01)
    assert always_critical(0.05, dof=10.0) > 1.3 * always_critical(0.05)
    assert always_critical(0.05, 0.99) > always_critical(0.05)
    # Tightest where the standard error is some 25 Elo points.
    errors = np.linspace(0.02, 0.6, 500)
    tightest = errors[np.argmin([always_critical(error) for error in errors])]
    assert 400.0 / math.log(10.0) * tightest == pytest.approx(25.0, abs=3.0)


def test_looking_after_every_vote() -> None:
    rng = np.random.default_rng(4)
    won = np.cumsum(rng.random((1000, 1500)) < 0.5, axis=1)
    count = np.arange(1, 1501)
    share = np.clip(won / count, 1e-9, 1.0 - 1e-9)
    se = 1.0 / np.sqrt(count * share * (1.0 - share))
    ratio = (np.abs(np.log(share / (1.0 - share))) / se)[:, 9:]
    boundary = np.vectorize(always_critical)(se[:, 9:])
    assert (ratio > boundary).any(axis=1).mean() <= 0.05
    assert (ratio > 1.96).any(axis=1).mean() > 0.35
    # It does decide: the same coins bent to odds of 3:2.
    bent = np.cumsum(rng.random((100, 1500)) < 0.6, axis=1)[:, -1] / 1500
    assert np.mean(np.log(bent / (1 - bent)) * math.sqrt(1500 * 0.24) > always_critical(1 / math.sqrt(360.0))) > 0.95


def test_how_much_is_missing() -> None:
    votes = simulate(World(named(4), np.array([0.0, 0.25, 0.5, 0.75]), voters=60), 600, np.random.default_rng(8))
    found = comparison(votes, "contestant-0", "contestant-1", power=0.9)
    assert found.verdict == "undecided"
    assert found.more_votes is not None
    assert found.more_duels is not None
    growth = 1.0 + found.more_votes / 600
    se = found.se / math.sqrt(growth)
    # With that error the boundary lies 1.2816 standard errors (90 %) below the difference.
    assert abs(found.difference) / se - always_critical(se) == pytest.approx(1.2816, abs=0.02)
    # A duel of the two tells about each other more than a vote of the mix does.
    assert found.more_duels < found.more_votes
    assert comparison(votes, "contestant-0", "contestant-1", power=0.5).more_votes < found.more_votes  # type: ignore[operator]


def test_equals_are_never_decided() -> None:
    found = comparison(one_sided(50, 50), "a", "b")
    assert found.difference == pytest.approx(0.0, abs=1e-9)
    assert (found.more_votes, found.more_duels) == (None, None)


def test_names_that_cannot_be_compared() -> None:
    votes = replace(one_sided(5, 5), contestants=("a", "b", "idle"))
    with pytest.raises(RatingError, match="cannot compare 'a' with itself"):
        comparison(votes, "a", "a")
    with pytest.raises(UnknownContestantError, match="no vote rates a contestant 'idle'; there are a, b"):
        comparison(votes, "a", "idle")
    named_votes = simulate(World(named(3), np.zeros(3)), 100, np.random.default_rng(0))
    with pytest.raises(UnknownContestantError, match="did you mean 'contestant-2'"):
        comparison(named_votes, "contestant2", "contestant-0")


def test_interval_holds_the_truth() -> None:
    held, always_held = [], []
    strengths = np.array([0.0, 0.4, -0.3, 0.8])
    for at in range(150):
        votes = simulate(World(named(4), strengths, voters=50), 500, np.random.default_rng([9, at]))
        found = comparison(votes, "contestant-0", "contestant-1")
        held.append(found.low < 0.4 < found.high)
        always_held.append(found.always_low < 0.4 < found.always_high)
    assert 0.88 <= np.mean(held) <= 1.0
    assert np.mean(always_held) >= np.mean(held)


@pytest.mark.slow
@pytest.mark.parametrize("contestants", [2, 4])
def test_looking_while_voters_of_different_taste_come_and_go(contestants: int) -> None:
    world = World(named(contestants), np.zeros(contestants), (PollRules("duel"),), voters=60, taste=0.5)
    always, once, sure = 0, 0, 0
    for at in range(200):
        votes = simulate(world, 600 * contestants // 2, np.random.default_rng([contestants, at]))
        looks = []
        for seen in range(10, len(votes) + 1, 10 * contestants // 2):
            try:
                looks.append(comparison(votes.take(np.arange(seen)), "contestant-0", "contestant-1"))
            except StateError:
                continue
        always += any(look.verdict != "undecided" for look in looks)
        once += any(look.low > 0.0 or look.high < 0.0 for look in looks)
        sure += any(look.e_value >= 20.0 for look in looks)
    assert always / 200 <= 0.05 + 0.015
    assert sure / 200 <= 0.05 + 0.015
    assert once / 200 > 0.12
