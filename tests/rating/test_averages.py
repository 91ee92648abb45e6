"""Time-weighted averages, against the integral taken step by step."""

import json
import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.averages import Average, DecayingMean, WindowMean
from rating.elo import EloSystem
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.simulation import World, named, simulate
from rating.votes import Votes, votes_of

AVERAGES: list[Average] = [
    WindowMean(),
    WindowMean("wall"),
    WindowMean("votes", 10.0),
    WindowMean("wall", 25.0),
    DecayingMean(7.0),
    DecayingMean(30.0, "wall"),
]
every_average = pytest.mark.parametrize("average", AVERAGES, ids=lambda average: average.name.replace(" ", "-"))


def log(votes: int, seed: int = 0, *, names: str = "abcde") -> list[Game]:
    """Votes at irregular times, some at once, one of them earlier than the one before."""
    rng, now, found = random.Random(seed), 1e9, list[Game]()
    for at in range(votes):
        now += rng.choice([0.0, 0.5, 1.0, 7.25])
        seats = tuple(rng.sample(names, rng.choice([2, 2, 3])))
        outcome = parse_outcome(rng.choice(["1", "2", "1=2" if len(seats) == 2 else "3>1=2"]), len(seats))
        found.append(Game(seats, outcome, "ffa", time=now - 2.0 * (at == votes // 2)))
    return found


def averages(average: Average, games: list[Game]) -> dict[str, float]:
    system = EloSystem(average=average, ranked_by="average")
    standings = system.standings(system.fold(system.start(), votes_of(games)))
    return {contestant: estimate.value for contestant, estimate in standings.items()}


def moments(games: list[Game], clock: str) -> tuple[list[float], float]:
    """When each vote happened, and now."""
    if clock == "votes":
        return [float(at) for at in range(len(games))], float(len(games))
    times = np.maximum.accumulate([game.time - games[0].time for game in games]).tolist()
    return times, times[-1]


def trajectory(games: list[Game]) -> list[dict[str, float]]:
    """The ratings after each vote."""
    system, state, found = EloSystem(), EloSystem().start(), []
    for game in games:
        state = system.fold(state, votes_of([game]))
        found.append(state["ratings"])
    return found


def weighted(games: list[Game], clock: str, weight) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """The mean of the ratings with weight(begin, end) for each stretch between votes, each since its first vote."""
    times, now = moments(games, clock)
    after, means = trajectory(games), {}
    for name in after[-1]:
        parts = [
            (weight(begin, end), ratings[name])
            for begin, end, ratings in zip(times, [*times[1:], now], after, strict=True)
            if name in ratings
        ]
        total = math.fsum(part for part, _ in parts)
        means[name] = math.fsum(part * rating for part, rating in parts) / total if total else after[-1][name]
    return means


def opening(average: WindowMean, games: list[Game]) -> float:
    """Where the window starts: the last mark at or before its nominal start."""
    times, now = moments(games, average.clock)

    def cell(time: float) -> float:
        if average.window is not None:
            return math.floor(time * 8 / average.window)
        step = 2.0 ** (math.floor(math.log2(time)) - 3) if time > 0 else 1.0
        return math.floor(time / step) * step

    marks = [times[0], *(time for before, time in pairwise(times) if cell(time) > cell(before))]
    nominal = now / 2 if average.window is None else now - average.window
    return max([mark for mark in marks if mark <= nominal], default=times[0])


@pytest.mark.parametrize("average", AVERAGES[:4], ids=lambda average: average.name.replace(" ", "-"))
@pytest.mark.parametrize("votes", [1, 2, 3, 7, 16, 17, 40, 100])
def test_a_window_is_the_integral_over_it(average: WindowMean, votes: int) -> None:
    games = log(votes)
    start = opening(average, games)
    expected = weighted(games, average.clock, lambda begin, end: max(0.0, end - max(begin, start)))
    assert averages(average, games) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("average", AVERAGES[4:], ids=lambda average: average.name.replace(" ", "-"))
@pytest.mark.parametrize("votes", [1, 2, 3, 40, 100])
def test_a_decaying_mean_is_the_integral_with_its_weights(average: DecayingMean, votes: int) -> None:
    games = log(votes)
    now = moments(games, average.clock)[1]

    def weight(begin: float, end: float) -> float:
        return 0.5 ** ((now - end) / average.half_life) - 0.5 ** ((now - begin) / average.half_life)

    assert averages(average, games) == pytest.approx(weighted(games, average.clock, weight), abs=1e-9)


def test_the_window_of_dense_votes_is_hardly_longer_than_asked() -> None:
    for votes in (64, 100, 999, 4096, 5000):
        start = opening(WindowMean(), [Game(("a", "b"), parse_outcome("1", 2), "duel")] * votes)
        assert 1 / 2 <= (votes - start) / votes <= 5 / 9
        start = opening(WindowMean(window=48.0), [Game(("a", "b"), parse_outcome("1", 2), "duel")] * votes)
        assert 48 <= votes - start <= 54


@every_average
@given(cuts=st.lists(st.integers(0, 60), max_size=4).map(sorted), seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_portions_through_json_are_one_pass_bit_for_bit(average: Average, cuts: list[int], seed: int) -> None:
    system, games = EloSystem(average=average), log(60, seed, names="abcdefgh")
    state = system.start()
    for low, high in zip([0, *cuts], [*cuts, 60], strict=True):
        state = system.fold(json.loads(json.dumps(state)), votes_of(games[low:high]))
    assert json.dumps(state) == json.dumps(system.fold(system.start(), votes_of(games)))


@every_average
def test_a_rating_that_never_moves_is_its_average(average: Average) -> None:
    games = [Game(("a", "b"), parse_outcome("1=2", 2), "fixed", time=float(at)) for at in range(30)]
    assert averages(average, games) == pytest.approx({"a": 1500.0, "b": 1500.0}, abs=1e-9)


@every_average
def test_votes_all_at_one_moment_still_have_an_average(average: Average) -> None:
    games = [Game(("a", "b"), parse_outcome("1", 2), "duel", time=5.0)] * 3
    found = averages(average, games)
    assert 1500 < found["a"] < 1550
    assert found["a"] + found["b"] == pytest.approx(3000.0)


def test_few_marks_are_kept_however_long_the_log() -> None:
    system = EloSystem()
    state = system.fold(system.start(), votes_of(log(3000)))
    assert len(state["average"]["marks"]) <= 10


def rmse(votes: Votes, truth: np.ndarray, k: float, ranked_by: str) -> float:
    system = EloSystem(k=k, ranked_by=ranked_by)  # type: ignore[arg-type]
    standings = system.standings(system.fold(system.start(), votes))
    values = np.array([standings[name].value for name in votes.contestants])
    return float(np.sqrt(np.mean((values - values.mean() - truth + truth.mean()) ** 2)))


def simulated(votes: int, worlds: int, k: float) -> tuple[float, float]:
    """RMSE of the last values and of the averages, 20 contestants, strengths of sd 100 points."""
    errors = []
    for world in range(worlds):
        rng = np.random.default_rng(world)
        strengths = rng.normal(0.0, 100.0, 20)
        log = simulate(World(named(20), strengths * math.log(10) / 400), votes, rng)
        errors.append([rmse(log, strengths, k, ranked_by) for ranked_by in ("last", "average")])
    last, average = np.sqrt(np.mean(np.square(errors), axis=0))
    return float(last), float(average)


def test_the_average_errs_half_as_much_as_the_last_value() -> None:
    last, average = simulated(10_000, 10, 32.0)
    assert average <= 0.5 * last


@pytest.mark.slow
@pytest.mark.parametrize(
    ("votes", "k", "last", "average"),
    [
        (2_000, 32, 54.4, 33.1),
        (2_000, 4, 40.2, 48.9),
        (10_000, 32, 53.5, 16.3),
        (50_000, 32, 52.7, 8.6),
        (10_000, 4, 18.0, 13.2),
        (50_000, 4, 18.0, 6.8),
    ],
)
def test_errors_are_those_measured_before(votes: int, k: float, last: float, average: float) -> None:
    found = simulated(votes, 30, k)
    assert found == pytest.approx((last, average), rel=0.12)
