"""The draw margin: its formula, and learning it from votes whose truth is known."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from rating.margins import learn_ranking, margin_of, prior_slope, probability_of
from rating.trueskill import TrueSkillSystem
from rating.votes import NOBODY, Votes

BETA = 25 / 6
NAT = math.sqrt(2) * BETA / 1.7


def voted(seats: np.ndarray, performances: np.ndarray, share: float, poll: str) -> Votes:
    """Rankings by performance, where neighbours nearer than the margin of `share` tie."""
    count, size = seats.shape
    order = np.argsort(-performances, axis=1)
    gaps = -np.diff(np.take_along_axis(performances, order, 1), axis=1)
    places = np.concatenate([np.zeros((count, 1), int), (gaps >= margin_of(share, BETA)).cumsum(axis=1)], axis=1)
    ranks = np.empty((count, size), np.int16)
    np.put_along_axis(ranks, order, places.astype(np.int16), 1)
    kinds = np.where(ranks.max(axis=1) == 0, 1, 2 if size > 2 else 0).astype(np.int8)
    nobody = np.full(count, NOBODY, np.int32)
    names = tuple(f"c{code:02}" for code in range(20))
    times, polls = np.arange(float(count)), np.zeros(count, np.int32)
    return Votes(names, (poll,), (), (), seats.astype(np.int32), ranks, kinds, polls, nobody, nobody, times)


def learned(share: float, poll: str, *, count: int, size: int = 2, seed: int = 1) -> float:
    rng = np.random.default_rng(seed)
    skills = rng.normal(25.0, NAT, 20)
    seats = np.argsort(rng.random((count, 20)), axis=1)[:, :size]
    votes = voted(seats, rng.normal(skills[seats], BETA), share, poll)
    system = TrueSkillSystem()
    return system.draw_probabilities(system.fold(system.start(), votes))[poll]


def test_a_margin_and_its_probability() -> None:
    margin = margin_of(0.1, BETA)
    gap = NormalDist(0.0, math.sqrt(2) * BETA)
    assert gap.cdf(margin) - gap.cdf(-margin) == pytest.approx(0.1, abs=1e-15)
    assert probability_of(margin, BETA) == pytest.approx(0.1, abs=1e-15)
    assert margin_of(0.0, BETA) == probability_of(0.0, BETA) == 0.0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.39, 0.6])
@pytest.mark.parametrize("poll", ["fixed", "duel"])
def test_duels_teach_how_often_equals_draw(share: float, poll: str) -> None:
    # 4 sd of a share counted in 20,000 votes, and what the first hundreds of votes, rated from wide beliefs, leave.
    assert learned(share, poll, count=20_000) == pytest.approx(share, abs=4 * math.sqrt(share / 20_000) + 0.02 * share)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_rankings_teach_it_too(share: float) -> None:
    # Ties run on along a place (1=2 and 2=3 make 1=3), so seats further apart than the margin may tie: a tenth more.
    assert learned(share, "ffa", count=1500, size=4) == pytest.approx(share, rel=0.25)


def test_a_poll_without_draws_has_no_margin_and_a_drawing_poll_forgets_its_prior() -> None:
    assert learned(0.0, "duel", count=300) == 0.0
    assert learned(0.0, "ffa", count=50, size=4) == 0.0
    assert 0.0 < learned(0.0, "fixed", count=3000) < 0.002


def test_rare_draws_are_counted_exactly() -> None:
    # While P is linear in the margin, margin = (prior draws + draws) / (sum of slopes), whatever the order, each by
    # its trust (noise / spread)^2.
    noise, draws = 2 * BETA**2, 0.0
    root, trust = math.sqrt(noise + 2), (noise / (noise + 2)) ** 2
    margin, slope = margin_of(0.001, BETA), prior_slope(BETA)
    prior, least = margin * slope, slope
    for vote in range(500):
        drawn = vote % 250 == 100
        draws += trust * drawn
        least += trust * 2 * NormalDist().pdf(0.2 / root) / root
        margin, slope = learn_ranking([25.2, 25.0], [1.0, 1.0], [0, 1 - drawn], noise, margin, slope, 10.0)
    assert slope == pytest.approx(least, rel=1e-4)
    assert margin == pytest.approx((prior + draws) / least, rel=1e-4)


def test_the_margin_stays_positive_and_bounded() -> None:
    noise, most = 2 * BETA**2, margin_of(0.9, BETA)
    margin, slope = margin_of(0.1, BETA), prior_slope(BETA)
    for _ in range(50):
        margin, slope = learn_ranking([25.0] * 12, [1.0] * 12, [0] * 12, noise, margin, slope, most)
    assert margin <= most
    for _ in range(50):
        margin, slope = learn_ranking([25.0] * 12, [1.0] * 12, list(range(12)), noise, margin, slope, most)
        assert margin > 0.0
