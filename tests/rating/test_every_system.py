"""What holds for every rating system there is."""

import itertools
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.errors import UnknownMetricError
from rating.game import Game
from rating.outcomes import Outcome, parse_outcome
from rating.registry import SYSTEMS, rating_system
from rating.votes import votes_of

every_system = pytest.mark.parametrize("metric", sorted(SYSTEMS))
NAMES = "abcdef"


@st.composite
def games(draw: st.DrawFn) -> Game:
    poll, seats = draw(st.sampled_from([("fixed", 2), ("duel", 2), ("ffa", 4)]))
    contestants = tuple(draw(st.permutations(NAMES))[:seats])
    texts = {
        "fixed": ["1", "2", "1=2"],
        "duel": ["1", "2"],
        "ffa": ["1", "4", "2>1>4>3", "2>1=4>3", "1=3>2=4", "3>1=2=4"],
    }[poll]
    return Game(contestants, parse_outcome(draw(st.sampled_from(texts)), seats), poll)


def reseated(game: Game, order: tuple[int, ...]) -> Game:
    ranks = tuple(game.outcome.ranks[at] for at in order)
    return Game(tuple(game.seats[at] for at in order), Outcome(game.outcome.kind, ranks), game.poll)


@every_system
@given(log=st.lists(games(), max_size=12), cut=st.integers(0, 12))
@settings(max_examples=25, deadline=None)
def test_folding_in_portions_through_json_is_the_full_replay_bit_for_bit(
    metric: str, log: list[Game], cut: int
) -> None:
    system = SYSTEMS[metric]
    state = system.start()
    for portion in (log[:cut], log[cut:]):
        state = system.fold(json.loads(json.dumps(state)), votes_of(portion))
    assert state == system.fold(system.start(), votes_of(log))


@every_system
@given(log=st.lists(games(), min_size=1, max_size=5), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_seats_have_no_say(metric: str, log: list[Game], seed: int) -> None:
    system, rng = SYSTEMS[metric], random.Random(seed)
    shuffled = [reseated(game, tuple(rng.sample(range(len(game.seats)), len(game.seats)))) for game in log]
    assert system.fold(system.start(), votes_of(shuffled)) == system.fold(system.start(), votes_of(log))


@every_system
@pytest.mark.parametrize("outcome", ["3", "2>1>4>3", "2>1=4=3", "1=2=3=4"])
def test_all_24_seatings_of_one_vote_are_one(metric: str, outcome: str) -> None:
    system = SYSTEMS[metric]
    vote = Game(tuple("abcd"), parse_outcome(outcome, 4), "ffa")
    states = [
        system.fold(system.start(), votes_of([reseated(vote, order)])) for order in itertools.permutations(range(4))
    ]
    assert all(state == states[0] for state in states)


@every_system
@given(log=st.lists(games(), max_size=8), names=st.permutations(NAMES))
@settings(max_examples=25, deadline=None)
def test_names_have_no_say(metric: str, log: list[Game], names: list[str]) -> None:
    system, renamed = SYSTEMS[metric], dict(zip(NAMES, names, strict=True))
    other = [Game(tuple(renamed[seat] for seat in game.seats), game.outcome, game.poll) for game in log]
    one = system.standings(system.fold(system.start(), votes_of(log)))
    two = system.standings(system.fold(system.start(), votes_of(other)))
    for name, estimate in one.items():
        assert two[renamed[name]].value == pytest.approx(estimate.value, abs=1e-7)


@given(log=st.lists(games(), max_size=30))
@settings(deadline=None)
def test_elo_points_only_change_hands(log: list[Game]) -> None:
    system = SYSTEMS["elo"]
    ratings = system.fold(system.start(), votes_of(log))["ratings"]
    assert math.fsum(ratings.values()) == pytest.approx(1500 * len(ratings), abs=1e-6)


@every_system
def test_folding_leaves_the_state_it_was_given(metric: str) -> None:
    system = SYSTEMS[metric]
    vote = Game(("a", "b"), parse_outcome("1", 2), "duel")
    before = system.fold(system.start(), votes_of([vote]))
    kept = json.dumps(before)
    system.fold(before, votes_of([vote]))
    assert json.dumps(before) == kept


@pytest.mark.parametrize("metric", sorted(set(SYSTEMS) - {"joint"}))
def test_the_better_contestant_ends_above(metric: str) -> None:
    system, rng = SYSTEMS[metric], random.Random(3)
    log = []
    for _ in range(200):
        seats = tuple(rng.sample("abcd", 2))
        better = seats.index(min(seats)) if rng.random() < 0.8 else seats.index(max(seats))
        log.append(Game(seats, parse_outcome(str(better + 1), 2), "duel"))
    standings = system.standings(system.fold(system.start(), votes_of(log)))
    assert sorted(standings, key=lambda name: -standings[name].value) == list("abcd")


def test_an_unknown_metric_lists_the_known_ones() -> None:
    with pytest.raises(UnknownMetricError, match="no metric 'glicko'; known: trueskill, elo, elo-twa"):
        rating_system("glicko")


@every_system
def test_each_system_goes_by_its_own_name(metric: str) -> None:
    assert rating_system(metric).metric == metric
    assert rating_system(metric).methodology.startswith(f"{metric}/")
