"""States of a vote graph, on graphs small enough to see."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.game import Game
from rating.graph import beat_counts, components, vote_state
from rating.outcomes import parse_outcome
from rating.votes import Votes, votes_of


def votes(*texts: str) -> Votes:
    """Votes written as "ab 1": seats by one letter each, then the outcome."""
    pairs = [text.split() for text in texts]
    return votes_of([Game(tuple(seats), parse_outcome(outcome, len(seats)), "fixed") for seats, outcome in pairs])


@pytest.mark.parametrize(
    ("texts", "state", "groups"),
    [
        ([], "no-votes", ()),
        (["ab 1=2", "bc 1=2"], "all-draws", ()),
        (["abcd 1=2=3=4"], "all-draws", ()),
        (["ab 1", "ab 2"], "ok", ()),
        (["ab 1", "bc 1", "ca 1"], "ok", ()),
        (["ab 1", "ab 2", "cd 1", "cd 2"], "disconnected", (("a", "b"), ("c", "d"))),
        (["ab 1=2", "cd 1"], "disconnected", (("a", "b"), ("c", "d"))),
        (["ab 1"], "separated", (("a",), ("b",))),
        (["ab 1", "bc 1", "cb 1"], "separated", (("b", "c"), ("a",))),
        (["ab 1=2", "ab 1"], "ok", ()),
        (["abc 1", "abc 2", "abc 3"], "ok", ()),
        # c only ever lost a pick, to both: nothing says how far below it stands.
        (["abc 1", "abc 2"], "separated", (("a", "b"), ("c",))),
        (["abcd 1>2>3>4", "abcd 4>3>2>1"], "ok", ()),
        (["abcd 1>2=3>4", "dcab 1>2>3>4"], "ok", ()),
    ],
)
def test_state(texts: list[str], state: str, groups: tuple[tuple[str, ...], ...]) -> None:
    found = vote_state(votes(*texts))
    assert (found.name, found.groups) == (state, groups)
    assert bool(found.message) == (state != "ok")


def test_a_message_names_groups_and_remedy() -> None:
    message = vote_state(votes("ab 1", "cd 1", "ef 1", "eg 1", "eh 2")).message
    assert message.startswith("3 groups of contestants (e, f, g, h; a, b; c, d) never met")
    assert vote_state(votes("ab 1", "ac 1")).message.endswith("Collect more votes between them.")


def test_contestants_without_votes_make_no_group() -> None:
    some = votes("ab 1", "ab 2", "cd 1")
    assert vote_state(some.take(np.array([0, 1]))).name == "ok"


def test_votes_that_compare_nobody_make_no_edges() -> None:
    some = votes("ab 1", "ab 2", "bc 1", "bc 2")
    some.kinds[2:] = 3
    some.ranks[2:] = -1
    assert vote_state(some).name == "ok"
    assert not beat_counts(some)[0][:, 2].any()


def test_beats_and_ties_are_counted_by_pair() -> None:
    beats, ties = beat_counts(votes("abcd 2>1=4>3", "abcd 3", "ab 1=2"))
    assert beats.tolist() == [[0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 0, 1, 0]]
    assert ties.tolist() == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


@given(n=st.integers(1, 8), density=st.floats(0, 0.6), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_components_are_those_of_mutual_reachability(n: int, density: float, seed: int) -> None:
    rng = random.Random(seed)
    edges = np.array([[rng.random() < density for _ in range(n)] for _ in range(n)])
    reach = np.eye(n, dtype=bool) | edges
    for _ in range(n):
        reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
    together = reach & reach.T
    found = components(edges)
    assert sorted(at for group in found for at in group.tolist()) == list(range(n))
    assert all(together[np.ix_(group, group)].all() for group in found)
    assert len(found) == len({tuple(row) for row in together.tolist()})
