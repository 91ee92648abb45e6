import math
import random
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from arena.gallery.models import Checkpoint
from arena.votes.models import Ticket, Vote, Voter
from arena.votes.simulation import LongerTraining, simulate
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


def test_two_seats_follow_the_logistic_function() -> None:
    rng = random.Random(1)
    base = Checkpoint(step=900)
    older, newer = Checkpoint(step=800), Checkpoint(step=100, parent=base)
    rounds = 4000
    share = sum(LongerTraining(0.7).answer([older, newer], rng) == "2" for _ in range(rounds)) / rounds
    expected = 1 / (1 + math.exp(-0.7))
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / rounds)


def test_equal_training_is_a_coin_flip_and_huge_slopes_do_not_overflow() -> None:
    rng = random.Random(2)
    same = [Checkpoint(step=4)] * 4
    picks = [LongerTraining().answer(same, rng) for _ in range(400)]
    assert all(abs(picks.count(seat) - 100) < 4 * math.sqrt(400 * 3 / 16) for seat in "1234")
    assert LongerTraining(5000).answer([Checkpoint(step=0), Checkpoint(step=9)], rng) == "2"


def test_votes_go_through_tickets_and_are_marked() -> None:
    poll = ready_poll("ffa", contestants=5)
    votes = simulate(poll, LongerTraining(), random.Random(3), 6)
    assert [vote.number for vote in votes] == [1, 2, 3, 4, 5, 6]
    simulated = Voter.objects.get()
    assert simulated.population == "simulated"
    assert simulated.preference == "prefers the longer trained: odds of exp(1) for each place in that order"
    assert {vote.ticket.voter for vote in votes} == {simulated}


def test_a_voter_stops_when_everything_is_answered() -> None:
    poll = ready_poll("duel", contestants=2, prompts=2)
    assert len(simulate(poll, LongerTraining(), random.Random(4), 10)) == 2


def test_people_are_never_simulated() -> None:
    with pytest.raises(ValueError, match="never mixed"):
        simulate(ready_poll("duel", contestants=2), LongerTraining(), random.Random(5), 1, Voter.objects.create())
    assert not Ticket.objects.exists()


def test_the_command_votes_in_every_open_poll_and_says_so() -> None:
    ready_poll("duel", contestants=3)
    ready_poll("ffa", contestants=4)
    closed = ready_poll("fixed", contestants=2)
    closed.is_open = False
    closed.save()
    output = StringIO()
    call_command("simulate_voters", count=2, votes=3, seed=7, stdout=output)
    assert "12 simulated votes cast" in output.getvalue()
    assert Vote.objects.filter(ticket__voter__population="simulated").count() == Vote.objects.count() == 12
    assert not Vote.objects.filter(ticket__matchup__poll=closed).exists()


def test_the_command_repeats_itself_with_the_same_seed() -> None:
    poll = ready_poll("duel", contestants=3)
    answers = []
    for _ in range(2):
        call_command("simulate_voters", count=1, votes=3, seed=8, stdout=StringIO())
        poll.enrolments.update(appearances=0)
        last = Vote.objects.order_by("-number")[:3]
        answers.append([(v.outcome, [s.sample_id for s in v.ticket.matchup.seats.all()]) for v in last])
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("option", "value"), [("count", 0), ("votes", -1), ("pause", -0.5)])
def test_the_command_refuses_numbers_that_make_no_sense(option: str, value: float) -> None:
    with pytest.raises(CommandError, match=f"--{option}"):
        call_command("simulate_voters", **{option: value})
