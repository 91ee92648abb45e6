import pytest

from arena.polls.models import Matchup, Poll, Seat
from arena.votes.agreement import Agreement, agreement
from arena.votes.casting import cast
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


def vote(poll: Poll, epochs: list[int], outcome: str, population: str = "people") -> Vote:
    """A vote by a new voter on the contestants of these epochs, in these seats."""
    prompt = poll.prompt_set.prompts.first()
    matchup = Matchup.objects.create(poll=poll, prompt=prompt, seed=11, rule="by hand")
    for position, epoch in enumerate(epochs, 1):
        sample = prompt.samples.get(contestant__checkpoint__epoch=epoch)
        Seat.objects.create(matchup=matchup, position=position, sample=sample)
    voter = Voter.objects.create(population=population)
    return cast(Ticket.objects.create(voter=voter, matchup=matchup).token, outcome, voter)


def test_the_same_contestant_counts_wherever_it_sat() -> None:
    poll = ready_poll("duel", contestants=3)
    vote(poll, [1, 2], "2")
    vote(poll, [2, 1], "1")
    vote(poll, [2, 1], "2")
    vote(poll, [1, 3], "2")
    mine = vote(poll, [1, 2], "2")
    assert agreement(mine) == Agreement(same=2, total=3)
    assert agreement(mine).percent == 67


def test_nobody_else_yet() -> None:
    assert agreement(vote(ready_poll("duel", contestants=2), [1, 2], "1")) == Agreement(0, 0)
    assert Agreement(0, 0).percent is None


def test_draws_and_bad_agree_with_their_like() -> None:
    poll = ready_poll("fixed", contestants=2)
    for epochs, outcome in (([1, 2], "1=2"), ([2, 1], "1=2"), ([1, 2], "bad"), ([1, 2], "1")):
        vote(poll, epochs, outcome)
    assert agreement(vote(poll, [2, 1], "1=2")) == Agreement(2, 4)
    assert agreement(vote(poll, [2, 1], "bad")) == Agreement(1, 5)


def test_a_pick_and_a_ranking_agree_on_the_best_of_four() -> None:
    poll = ready_poll("ffa", contestants=5)
    vote(poll, [1, 2, 3, 4], "4>1=2>3")
    vote(poll, [4, 3, 2, 1], "1")
    vote(poll, [4, 3, 2, 1], "1=2>3=4")
    vote(poll, [1, 2, 3, 5], "4")
    assert agreement(vote(poll, [3, 4, 1, 2], "2>1>3>4")) == Agreement(2, 3)
    assert agreement(vote(poll, [3, 4, 1, 2], "2=3>1=4")) is None


def test_skips_exclusions_and_simulated_votes_are_left_out() -> None:
    poll = ready_poll("duel", contestants=2)
    vote(poll, [1, 2], "skip")
    vote(poll, [1, 2], "1", population="simulated")
    VoteExclusion.objects.create(vote=vote(poll, [1, 2], "1"), reason="test")
    assert agreement(vote(poll, [1, 2], "1")) == Agreement(0, 0)
    assert agreement(vote(poll, [1, 2], "skip")) is None
