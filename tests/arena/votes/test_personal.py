import random

import pytest
from django.utils import timezone

from arena.polls.models import Poll
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import Ticket, Voter
from arena.votes.personal import NEEDED, personal_ranking, reveal_all
from arena.votes.undoing import undo
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


def vote(poll: Poll, voter: Voter, times: int, *, revealed: bool = True, answer: str = "") -> None:
    """Always for the later epoch, unless an answer is given."""
    for number in range(times):
        ticket = issue_ticket(poll, voter, random.Random(number))
        assert ticket is not None
        seats = ticket.matchup.seats.order_by("position")
        epochs = list(seats.values_list("sample__contestant__checkpoint__epoch", flat=True))
        cast(ticket.token, answer or str(1 + epochs.index(max(epochs))), voter)
        if revealed:
            Ticket.objects.filter(pk=ticket.pk).update(revealed_at=timezone.now())


def test_the_ranking_is_that_of_the_voters_own_taste(voter: Voter) -> None:
    poll = ready_poll("duel", contestants=4, prompts=10)
    vote(poll, voter, 30)
    personal = personal_ranking(voter)
    assert [place.contestant.checkpoint.epoch for place in personal.places] == [4, 3, 2, 1]
    assert [place.rank for place in personal.places] == [1, 2, 3, 4]
    assert sum(place.tally.votes for place in personal.places) == 60
    assert all(0 <= place.left < place.dot < place.right <= 100 for place in personal.places)


def test_thirty_votes_are_needed_and_skips_do_not_count(voter: Voter) -> None:
    poll = ready_poll("duel", contestants=4, prompts=10)
    vote(poll, voter, NEEDED - 1)
    vote(poll, voter, 3, answer="skip")
    personal = personal_ranking(voter)
    assert (personal.votes, personal.missing, personal.places) == (29, 1, [])


def test_hidden_votes_have_no_say_until_they_are_revealed(voter: Voter) -> None:
    poll = ready_poll("duel", contestants=4, prompts=10)
    vote(poll, voter, 31, revealed=False)
    personal = personal_ranking(voter)
    assert (personal.votes, personal.hidden, personal.missing, personal.places) == (31, 31, 0, [])
    assert reveal_all(voter) == 31
    assert len(personal_ranking(voter).places) == 4


def test_an_answer_taken_back_counts_nowhere_and_stays_hidden(voter: Voter) -> None:
    poll = ready_poll("duel", contestants=4, prompts=10)
    vote(poll, voter, 31, revealed=False)
    taken_back = Ticket.objects.filter(voter=voter).latest("pk")
    undo(taken_back.token, voter)
    assert personal_ranking(voter).votes == 30
    assert reveal_all(voter) == 30
    taken_back.refresh_from_db()
    assert taken_back.revealed_at is None, "its matchup waits for another answer"


def test_all_four_kinds_of_answers_are_understood(voter: Voter) -> None:
    vote(ready_poll("ffa", contestants=5, prompts=8), voter, 16)
    vote(Poll.objects.get(kind="ffa"), voter, 4, answer="2>1=4>3")
    vote(Poll.objects.get(kind="ffa"), voter, 10, answer="bad")
    personal = personal_ranking(voter)
    assert personal.shown == 30
    assert personal.places[0].contestant.checkpoint.epoch == 5


def test_checkpoints_that_never_met_are_not_compared(voter: Voter) -> None:
    vote(ready_poll("duel", contestants=2, prompts=15), voter, 15)
    vote(ready_poll("fixed", contestants=2, prompts=15), voter, 15)
    personal = personal_ranking(voter)
    assert (personal.groups, personal.places) == (2, [])


def test_only_bad_images_make_no_ranking(voter: Voter) -> None:
    vote(ready_poll("ffa", contestants=5, prompts=8), voter, 30, answer="bad")
    personal = personal_ranking(voter)
    assert (personal.groups, personal.places) == (0, [])


def test_the_page_says_how_many_are_missing_and_needs_no_voter(client) -> None:
    page = client.get("/me/").content.decode()
    assert "0 of 30 votes" in page
    assert "30 more to go" in page
    assert client.post("/me/reveal").status_code == 302
    assert not Voter.objects.exists()


def test_the_page_asks_before_it_reveals(browser) -> None:
    poll = ready_poll("duel", contestants=3, prompts=20)
    browser.get("/polls/duel/")
    voter = Voter.objects.get()
    vote(poll, voter, 32, revealed=False)
    page = browser.get("/me/").content.decode()
    assert "32 votes still hide who it was" in page
    assert "secret-run" not in page
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert browser.post("/me/reveal", {"csrfmiddlewaretoken": token}).status_code == 302
    assert "secret-run-duel epoch 3" in browser.get("/me/").content.decode()
