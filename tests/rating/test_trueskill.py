"""TrueSkill of frozen checkpoints: published figures and formulas, learned draws, simulations."""

import json
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from rating.errors import SettingError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import NOBODY, Votes, votes_of
from tests.rating.trueskill_votes import BETA, MU, SIGMA, fold, game, rate

NAT = math.sqrt(2) * BETA / 1.7


def test_duel_without_draws_or_dynamics() -> None:
    ratings = fold(game("ab", "1"))
    assert ratings["a"] == pytest.approx((29.2052, 7.19448), abs=1e-4)
    assert ratings["b"] == pytest.approx((20.7948, 7.19448), abs=1e-4)


def test_a_draw_between_equals_only_makes_them_surer() -> None:
    # By hand: the difference N(0, c^2), c^2 = 2 (sigma^2 + beta^2), is cut to +-margin, where the margin is such that
    # P(|N(0, 2 beta^2)| < margin) = 0.1; its variance falls by the share w = m pdf(m) / (cdf(m) - 1/2), m = margin / c;
    # hence sigma^2 by w sigma^4 / c^2.
    normal = NormalDist()
    m = normal.inv_cdf(0.55) * math.sqrt(2) * BETA / math.sqrt(2 * (SIGMA**2 + BETA**2))
    w = m * normal.pdf(m) / (normal.cdf(m) - 0.5)
    sigma = math.sqrt(SIGMA**2 - SIGMA**4 / (2 * (SIGMA**2 + BETA**2)) * w)
    # The same whether it is given, known of the poll, or the prior of a first draw.
    for ratings in (
        fold(game("ab", "1=2"), draw_probability=0.1),
        fold(game("ab", "1=2", "fixed")),
        fold(game("ab", "1=2", "duel")),
    ):
        assert ratings["a"] == pytest.approx((25.0, sigma), abs=1e-9)
        assert ratings["b"] == pytest.approx((25.0, sigma), abs=1e-9)


def test_a_poll_with_draws_reads_a_win_as_more_than_a_poll_without() -> None:
    assert fold(game("ab", "1", "fixed"))["a"][0] > fold(game("ab", "1", "duel"))["a"][0]


def test_losers_of_a_pick_are_not_taken_to_have_drawn() -> None:
    picked, tied = fold(game("abcd", "1", "ffa")), fold(game("abcd", "1>2=3=4", "ffa"))
    assert picked["b"][1] == pytest.approx(7.28, abs=0.01)
    assert tied["b"][1] < 6.5


def test_bad_and_skipped_votes_change_nothing() -> None:
    votes = votes_of([game("ab", "1"), game("ab", "2"), game("ab", "1=2")])
    kinds = np.array([0, 3, 4], np.int8)
    counted = rate(TrueSkillSystem(), votes.take(np.array([0])))
    ranks = np.where(kinds[:, None] > 2, NOBODY, votes.ranks).astype(np.int16)
    spoiled = Votes(**{**vars(votes), "kinds": kinds, "ranks": ranks})
    assert rate(TrueSkillSystem(), spoiled) == counted


def test_certainty_grows_without_end_for_what_does_not_change() -> None:
    games = [game("ab", "1"), game("ab", "2")]
    sigmas = [fold(*games * n)["a"][1] for n in (50, 200, 800)]
    # Every vote adds about as much precision; under the usual dynamics (tau = sigma / 100) it stops at 0.79.
    assert sigmas[0] ** 2 / sigmas[1] ** 2 == pytest.approx(4, rel=0.1)
    assert sigmas[1] ** 2 / sigmas[2] ** 2 == pytest.approx(4, rel=0.1)
    assert sigmas[2] < 0.3
    assert fold(*games * 800, tau=25 / 300)["a"][1] == pytest.approx(0.79, abs=0.01)


def test_value_is_the_conservative_score() -> None:
    system = TrueSkillSystem()
    one = system.standings(system.fold(system.start(), votes_of([game("ab", "1")])))["a"]
    assert one.mu is not None
    assert one.sigma is not None
    assert one.value == pytest.approx(one.mu - 3 * one.sigma)
    assert (one.low, one.high) == pytest.approx((one.mu - 1.96 * one.sigma, one.mu + 1.96 * one.sigma))


@pytest.mark.parametrize("gap", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("seats", ["1", "1=2", "1>2>3>4", "1=2>3=4", "1=2=3=4", "1 of 4"])
def test_no_gap_is_too_large(gap: float, seats: str) -> None:
    text, size = seats.split()[0], 4 if len(seats) > 3 else 2
    beliefs = {name: [at * gap, 1.0] for at, name in enumerate("abcd")}
    vote = Game(tuple("abcd")[:size], parse_outcome(text, size), "fixed")
    for constants in ({}, {"draw_probability": 0.0}, {"compat": True}):
        state = TrueSkillSystem(**constants).fold({"beliefs": beliefs, "margins": {}}, votes_of([vote]))
        assert all(0 <= mean <= 3 * gap and 0 < variance < 1.01 for mean, variance in state["beliefs"].values())
        assert json.loads(json.dumps(state)) == state


def test_the_methodology_names_every_constant() -> None:
    text = "trueskill/2 mu=25 sigma=8.33333 beta=4.16667 tau="
    assert TrueSkillSystem().methodology == text + "0 draw=learned(fixed)"
    assert TrueSkillSystem(draw_probability={"p": 0.2}, tau=0.1).methodology == text + "0.1 draw=p:0.2"
    assert TrueSkillSystem(compat=True).methodology == text + "0.0833333 draw=0.1 compat"


@pytest.mark.parametrize(
    "constants",
    [
        {"sigma": 0.0},
        {"beta": -1.0},
        {"mu": math.nan},
        {"tau": -0.1},
        {"draw_probability": 1.0},
        {"draw_probability": {"p": math.nan}},
    ],
)
def test_constants_out_of_range_are_an_error(constants: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        TrueSkillSystem(**constants)


def test_duels_are_rated_by_the_published_formulas() -> None:
    """A plain second implementation, learned margin included: the margin of a vote is that of the votes before it."""
    rng, normal = np.random.default_rng(4), NormalDist()
    seats = [tuple(rng.permutation(list("abcde"))[:2].tolist()) for _ in range(400)]
    games = [Game(pair, parse_outcome(("1", "2", "1=2")[rng.integers(3)], 2), "fixed") for pair in seats]
    margin, slope = normal.inv_cdf(0.55) * math.sqrt(2) * BETA, 20 * normal.pdf(0) / (math.sqrt(2) * BETA)
    skills = {name: (MU, SIGMA**2) for name in "abcde"}
    for vote in games:
        first, second = vote.seats if vote.outcome.ranks[0] <= vote.outcome.ranks[1] else vote.seats[::-1]
        (mu, var), (other, spread) = skills[first], skills[second]
        c = math.sqrt(var + spread + 2 * BETA**2)
        low, high = (mu - other - margin) / c, (mu - other + margin) / c
        drawn = vote.outcome.kind == "draw"
        mass = normal.cdf(high) - normal.cdf(low)
        if drawn:
            v = (normal.pdf(high) - normal.pdf(low)) / mass
            w = v**2 + (high * normal.pdf(high) - low * normal.pdf(low)) / mass
        else:
            v = normal.pdf(low) / normal.cdf(low)
            w = v * (v + low)
        skills[first] = mu + var / c * v, var * (1 - var / c**2 * w)
        skills[second] = other - spread / c * v, spread * (1 - spread / c**2 * w)
        trust = (2 * BETA**2 / c**2) ** 2
        slope += trust * (normal.pdf(low) + normal.pdf(high)) / c
        margin += trust * (drawn - mass) / slope
    system = TrueSkillSystem()
    state = system.fold(system.start(), votes_of(games))
    assert state["margins"]["fixed"] == pytest.approx([margin, slope], rel=1e-9)
    for name, (mean, variance) in skills.items():
        assert state["beliefs"][name] == pytest.approx([mean, variance], rel=1e-9)


def test_learned_draws_of_real_votes_are_as_many_as_were_seen(real_votes: Callable[[str], Votes]) -> None:
    votes = real_votes("llmfao_crowd")
    system = TrueSkillSystem()
    state = system.fold(system.start(), votes)
    margin = state["margins"]["fixed"][0]
    mean, variance = np.array([state["beliefs"][name] for name in votes.contestants]).T
    one, other = votes.seats[:, :2].T
    root = np.sqrt(variance[one] + variance[other] + 2 * BETA**2)
    cdf = np.vectorize(NormalDist().cdf)
    expected = cdf((mean[one] - mean[other] + margin) / root) - cdf((mean[one] - mean[other] - margin) / root)
    # The margin follows the votes; the log is sorted by pair, so its share of draws is not steady.
    assert (votes.kinds == 1).mean() == pytest.approx(0.3886, abs=1e-4)
    assert expected.mean() == pytest.approx(0.3886, abs=0.03)


def duels(count: int, rng: np.random.Generator) -> tuple[np.ndarray, Votes]:
    """True skills of 20 contestants, a nat apart, and duels among them, a tenth of those between equals drawn."""
    skills = rng.normal(MU, NAT, 20)
    seats = np.argsort(rng.random((count, 20)), axis=1)[:, :2].astype(np.int32)
    gap = rng.normal(skills[seats[:, 0]] - skills[seats[:, 1]], math.sqrt(2) * BETA)
    drawn = np.abs(gap) < TrueSkillSystem().draw_margin(0.1)
    ranks = np.stack([~drawn & (gap < 0), ~drawn & (gap > 0)], axis=1).astype(np.int16)
    nobody, polls = np.full(count, NOBODY, np.int32), np.zeros(count, np.int32)
    names = tuple(f"c{code:02}" for code in range(20))
    kinds, times = drawn.astype(np.int8), np.arange(float(count))
    return skills, Votes(names, ("fixed",), (), (), seats, ranks, kinds, polls, nobody, nobody, times)


def scored(counts: tuple[int, ...], worlds: int) -> list[tuple[float, float]]:
    """(coverage of 95 % intervals of differences, rmse of mu) after each count of votes."""
    system, (one, other) = TrueSkillSystem(), np.triu_indices(20, 1)
    covered, squares = np.zeros(len(counts)), np.zeros(len(counts))
    for seed in range(worlds):
        skills, votes = duels(counts[-1], np.random.default_rng(seed))
        state, done = system.start(), 0
        for at, count in enumerate(counts):
            state, done = system.fold(state, votes.take(np.arange(done, count))), count
            mean, variance = np.array([state["beliefs"][name] for name in votes.contestants]).T
            error = (mean[one] - mean[other]) - (skills[one] - skills[other])
            covered[at] += np.mean(np.abs(error) <= 1.96 * np.sqrt(variance[one] + variance[other])) / worlds
            squares[at] += np.mean(error**2) / 2 / worlds
    return list(zip(covered.tolist(), np.sqrt(squares).tolist(), strict=True))


def test_intervals_of_frozen_contestants_hold_in_a_small_simulation() -> None:
    (covered, wide), (_, narrow) = scored((2000, 10_000), 8)
    assert 0.93 <= covered <= 0.97
    assert narrow < wide / 1.8


@pytest.mark.slow
def test_intervals_of_frozen_contestants_hold_however_many_votes() -> None:
    results = scored((2000, 10_000, 50_000), 60)
    assert all(0.93 <= covered <= 0.97 for covered, _ in results)
    assert results[2][1] <= results[1][1] / 2
