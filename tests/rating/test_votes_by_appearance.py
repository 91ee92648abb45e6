"""Names have no say in what is computed by their codes."""

import random

import numpy as np

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.registry import SYSTEMS
from rating.settling import settle
from rating.votes import Votes, by_appearance, votes_of


def world(renamed: bool) -> Votes:
    """120 votes of three polls; under other names, in another order, where `renamed`."""
    rng = random.Random(4)
    names = {one: one for one in "abcdef"} if not renamed else dict(zip("abcdef", "qjzbxa", strict=True))
    games = []
    for number in range(120):
        poll = rng.choice(["fixed", "duel", "ffa"])
        seats = tuple(names[one] for one in rng.sample("abcdef", 4 if poll == "ffa" else 2))
        outcome = parse_outcome(rng.choice({"ffa": ["1", "3", "2>1=4>3"]}.get(poll, ["1", "2"])), len(seats))
        voter, prompt = rng.randrange(12), rng.randrange(9)
        other = (f"v{99 - voter}", f"p{99 - prompt}") if renamed else (f"v{voter}", f"p{prompt}")
        games.append(Game(seats, outcome, poll, float(number), *other))
    return votes_of(games)


def test_the_order_is_that_of_first_appearance_and_the_votes_stay_the_same() -> None:
    votes = by_appearance(world(renamed=False))
    again = list(votes.games())
    assert again == list(world(renamed=False).games())
    seen: list[str] = []
    for game in again:
        seen += [seat for seat in game.seats if seat not in seen]
    assert list(votes.contestants) == seen
    assert votes.voter[0] == 0


def test_two_worlds_that_differ_in_names_alone_have_equal_arrays() -> None:
    one, other = (by_appearance(world(renamed)) for renamed in (False, True))
    for name in ("seats", "ranks", "poll", "prompt", "voter"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_intervals_and_ranks_are_the_same_bits_under_other_names() -> None:
    plain, renamed = world(False), world(True)
    back = dict(zip("qjzbxa", "abcdef", strict=True))
    for metric in ("joint", "winrate"):
        system = SYSTEMS[metric]
        first, second = (settle(system, system.fold(system.start(), votes), votes) for votes in (plain, renamed))
        assert {back[name]: row for name, row in second.rows.items()} == first.rows
        assert first.rows
