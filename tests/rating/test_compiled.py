"""The compiled engines give the numbers of the plain ones, to 1e-9, and say so when they cannot run."""

import importlib
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating import compiled
from rating.averages import DecayingMean, WindowMean
from rating.compiled import CompiledElo, CompiledJoint, CompiledTrueSkill
from rating.elo import EloSystem
from rating.errors import CompiledError
from rating.game import Game
from rating.joint import fit_joint
from rating.outcomes import Outcome
from rating.simulation import PollRules, World, named, simulate
from rating.stages import UNSEEN, stages, term_names
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, votes_of

ROOT = Path(__file__).resolve().parents[2]
POLLS = (
    PollRules("duel", share=2.0),
    PollRules("fixed", answer="draws", tie=0.3, bad=0.05, skip=0.05),
    PollRules("free", seats=4, answer="pick"),
    PollRules("order", seats=5, answer="ranking", tie=0.4),
)
ELO = {"k": 24.0, "initial": 1000.0}


def votes_of_all_kinds(seed: int, count: int, spread: float = 1.0) -> Votes:
    rng = np.random.default_rng(seed)
    world = World(named(8), rng.normal(0.0, spread, 8), POLLS)
    votes = simulate(world, count, rng)
    votes.times[:] = np.round(np.cumsum(rng.exponential(50.0, count)) + rng.normal(0.0, 100.0, count))
    return votes


def assert_same(found, expected):
    """Equal in shape and, number by number, to 1e-9 of 1 or of the number."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("plain", "fast"),
    [
        (EloSystem(**ELO), CompiledElo(**ELO)),
        (EloSystem(average=None), CompiledElo(average=None)),
        (EloSystem(average=WindowMean("wall")), CompiledElo(average=WindowMean("wall"))),
        (EloSystem(average=WindowMean("votes", 70.0)), CompiledElo(average=WindowMean("votes", 70.0))),
        (TrueSkillSystem(), CompiledTrueSkill()),
        (TrueSkillSystem(tau=0.1, draw_probability=0.2), CompiledTrueSkill(tau=0.1, draw_probability=0.2)),
        (TrueSkillSystem(draw_probability={"fixed": 0.1}), CompiledTrueSkill(draw_probability={"fixed": 0.1})),
    ],
    ids=lambda system: system.methodology,
)
@pytest.mark.parametrize("spread", [1.0, 8.0])
def test_states_equal_those_of_the_plain_engine(plain, fast, spread):
    votes = votes_of_all_kinds(1, 1500, spread)
    assert_same(fast.fold(fast.start(), votes), plain.fold(plain.start(), votes))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 60))
def test_either_engine_goes_on_from_the_state_of_the_other(seed, cut):
    votes = votes_of_all_kinds(seed, 60)
    first, rest = votes.take(np.arange(60) < cut), votes.take(np.arange(60) >= cut)
    for plain, fast in ((EloSystem(), CompiledElo()), (TrueSkillSystem(), CompiledTrueSkill())):
        whole = plain.fold(plain.start(), votes)
        assert_same(fast.fold(plain.fold(plain.start(), first), rest), whole)
        assert_same(plain.fold(fast.fold(fast.start(), first), rest), whole)


@pytest.mark.parametrize("gap", [0.0, 10.0, 1e3, 1e6])
def test_extreme_gaps(gap):
    votes = votes_of_all_kinds(3, 12)
    ladder = {name: gap * place for place, name in enumerate(votes.contestants)}
    plain, fast = EloSystem(), CompiledElo()
    start = plain.fold(plain.start(), votes) | {"ratings": ladder}
    assert_same(fast.fold(start, votes), plain.fold(start, votes))
    plain, fast = TrueSkillSystem(), CompiledTrueSkill()
    start = plain.start() | {"beliefs": {name: [value, 4.0] for name, value in ladder.items()}}
    found, expected = fast.fold(start, votes), plain.fold(start, votes)
    assert all(math.isfinite(number) and belief[1] > 0 for belief in found["beliefs"].values() for number in belief)
    assert_same(found, expected)


def test_portions_equal_one_pass_bit_for_bit():
    votes = votes_of_all_kinds(4, 300)
    early = np.arange(300) < 131
    for fast in (CompiledElo(), CompiledTrueSkill()):
        portions = fast.fold(fast.fold(fast.start(), votes.take(early)), votes.take(~early))
        assert portions == fast.fold(fast.start(), votes)


def test_the_order_of_the_seats_has_no_say_in_the_last_bit():
    votes = votes_of_all_kinds(6, 400)
    turned = np.arange(votes.seats.shape[1])[::-1]
    back = replace(
        votes, seats=_left(votes.seats[:, turned]), ranks=_left(votes.ranks[:, turned], votes.seats[:, turned])
    )
    for fast in (CompiledElo(), CompiledTrueSkill()):
        assert fast.fold(fast.start(), back) == fast.fold(fast.start(), votes)


def _left(values, seats=None):
    """The columns of the taken seats moved to the left."""
    order = np.argsort((values if seats is None else seats) < 0, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1)


def test_no_counted_vote_changes_nothing():
    votes = votes_of_all_kinds(5, 40)
    for fast in (CompiledElo(), CompiledTrueSkill()):
        state = fast.fold(fast.start(), votes)
        assert fast.fold(state, votes.take(~votes.counted)) == state


def test_what_is_not_compiled_is_refused_by_name():
    with pytest.raises(CompiledError, match="half-life"):
        CompiledElo(average=DecayingMean(100.0))
    with pytest.raises(CompiledError, match="compat"):
        CompiledTrueSkill(compat=True)


def test_without_numba_the_error_names_the_remedy(monkeypatch):
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(compiled.importlib, "import_module", absent)
    with pytest.raises(CompiledError, match=r"pip install 'illustration-arena\[fast\]'"):
        CompiledElo()


def test_numba_is_loaded_only_when_asked_for():
    script = "import sys, rating.compiled; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_runs_where_no_folder_can_hold_the_cache(monkeypatch):
    kernels = importlib.import_module("rating.compiled_base")
    compile_ = kernels.njit

    def without_cache(**options: object):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(**options)

    monkeypatch.setattr(kernels, "njit", without_cache)
    assert kernels.jit(lambda x: x + 1.0)(1.0) == 2.0


@pytest.mark.parametrize("spread", [0.5, 1.5])
@pytest.mark.parametrize("left_seat", [False, True])
@pytest.mark.parametrize("ties", ["davidson", "rao-kupper", "half"])
def test_the_joint_fit_equals_the_plain_one(ties, left_seat, spread):
    votes = votes_of_all_kinds(7, 1500, spread)
    plain = fit_joint(votes, ties=ties, left_seat=left_seat)
    fast = fit_joint(votes, ties=ties, left_seat=left_seat, loops=CompiledJoint())
    assert fast.parameters == plain.parameters
    assert_same(fast.estimate.tolist(), plain.estimate.tolist())
    assert_same(fast.information.tolist(), plain.information.tolist())
    assert fast.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), left_seat=st.booleans(), seats=st.integers(3, 6), tie=st.sampled_from([0, 0.5]))
def test_rankings_have_the_stages_of_the_plain_way(seed, left_seat, seats, tie):
    rng = np.random.default_rng(seed)
    rules = (PollRules("order", seats=seats, answer="ranking", tie=tie),)
    votes = simulate(World(named(8), rng.normal(0.0, 1.0, 8), rules), 40, rng)
    terms = {name: 8 + at for at, name in enumerate(term_names(votes, votes.counted, "davidson", left_seat))}
    found, expected = (
        stages(votes, votes.counted, np.arange(8), terms, "davidson", way)[0]
        for way in (CompiledJoint().rankings, None)
    )
    assert _choices(found) == _choices(expected)
    assert len({(batch.members.shape[1], batch.terms) for batch in found}) == len(found)


def test_stages_with_an_unforeseen_tie_are_marked_so():
    votes = votes_of([Game(("a", "b", "c"), Outcome("ranking", (0, 0, 1)), "p")])
    for way in (CompiledJoint().rankings, None):
        (batch,) = stages(votes, votes.counted, np.arange(3), {}, "davidson", way)[0]
        assert batch.chosen.tolist() == [UNSEEN]


def _choices(batches):
    """Each stage by itself: the vote, the members, the terms, and the design's row of what was chosen."""
    return sorted(
        (vote, members, batch.terms, batch.design[chosen].tolist())
        for batch in batches
        for vote, members, chosen in zip(
            batch.vote.tolist(), batch.members.tolist(), batch.chosen.tolist(), strict=True
        )
    )
