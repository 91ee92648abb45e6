"""What holds for TrueSkill on any votes: portions, seats, names, a constant added to all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.game import Game
from rating.outcomes import Outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import votes_of
from tests.rating.trueskill_votes import MU, rate


@st.composite
def games(draw: st.DrawFn) -> Game:
    size = draw(st.sampled_from([2, 2, 3, 4]))
    seats = tuple(draw(st.permutations("abcde"))[:size])
    ranks = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    dense = tuple(sorted(set(ranks)).index(rank) for rank in ranks)
    pick = size > 2 and draw(st.booleans())
    outcome = Outcome("pick", (0,) + (1,) * (size - 1)) if pick else Outcome("ranking" if max(dense) else "draw", dense)
    return Game(seats, outcome, draw(st.sampled_from(["fixed", "ffa"])))


@given(log=st.lists(games(), max_size=12), cut=st.integers(0, 12), tau=st.sampled_from([0.0, 0.1]))
@settings(max_examples=50, deadline=None)
def test_portions_through_json_are_one_pass_bit_for_bit(log: list[Game], cut: int, tau: float) -> None:
    system = TrueSkillSystem(tau=tau)
    state = system.start()
    for portion in (log[:cut], log[cut:]):
        state = system.fold(json.loads(json.dumps(state)), votes_of(portion))
    assert json.dumps(state) == json.dumps(system.fold(system.start(), votes_of(log)))


@given(log=st.lists(games(), min_size=1, max_size=6), order=st.permutations(range(4)))
@settings(max_examples=50, deadline=None)
def test_seats_have_no_say_not_even_in_the_last_bit(log: list[Game], order: list[int]) -> None:
    shuffled = []
    for vote in log:
        places = [at for at in order if at < len(vote.seats)]
        ranks = tuple(vote.outcome.ranks[at] for at in places)
        shuffled.append(Game(tuple(vote.seats[at] for at in places), Outcome(vote.outcome.kind, ranks), vote.poll))
    system = TrueSkillSystem()
    assert system.fold(system.start(), votes_of(shuffled)) == system.fold(system.start(), votes_of(log))


@given(log=st.lists(games(), min_size=1, max_size=6), names=st.permutations("abcde"))
@settings(max_examples=50, deadline=None)
def test_names_have_no_say(log: list[Game], names: list[str]) -> None:
    renamed = dict(zip("abcde", names, strict=True))
    other = rate(
        TrueSkillSystem(),
        votes_of([Game(tuple(renamed[seat] for seat in vote.seats), vote.outcome, vote.poll) for vote in log]),
    )
    for name, rating in rate(TrueSkillSystem(), votes_of(log)).items():
        assert other[renamed[name]] == pytest.approx(rating, abs=1e-7)


@given(log=st.lists(games(), min_size=1, max_size=6), constant=st.floats(-1e4, 1e4))
@settings(max_examples=50, deadline=None)
def test_a_constant_added_to_all_is_added_to_all(log: list[Game], constant: float) -> None:
    votes = votes_of(log)
    moved = rate(TrueSkillSystem(mu=MU + constant), votes)
    for name, (mu, sigma) in rate(TrueSkillSystem(), votes).items():
        assert moved[name] == pytest.approx((mu + constant, sigma), abs=1e-7)
