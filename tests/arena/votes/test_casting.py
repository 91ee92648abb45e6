import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from arena.polls.models import Enrolment, Matchup, Seat
from arena.polls.pairing import RULE
from arena.votes.casting import cast, check_answer, issue_ticket
from arena.votes.models import AppendOnlyError, Ticket, Vote, VoteExclusion, VoteLog, Voter
from arena.votes.refusals import ForeignTicket, RevokedVoter, UnknownTicket, WrongAnswer
from tests.arena.votes.building import make_poll, ready_poll

pytestmark = pytest.mark.django_db


def test_a_ticket_has_shuffled_seats_and_the_rule(voter, ticket_of) -> None:
    poll = ready_poll("ffa", contestants=4)
    ticket = ticket_of(poll, voter)
    assert ticket.matchup.rule == RULE
    assert list(ticket.matchup.seats.values_list("position", flat=True)) == [1, 2, 3, 4]
    assert len(set(ticket.matchup.seats.values_list("image_key", flat=True))) == 4
    assert list(poll.enrolments.values_list("appearances", flat=True)) == [1, 1, 1, 1]


def test_the_open_ticket_is_handed_out_again(voter, ticket_of) -> None:
    poll = ready_poll("duel", contestants=3)
    assert ticket_of(poll, voter) == ticket_of(poll, voter)
    assert Matchup.objects.count() == 1
    assert set(poll.enrolments.values_list("appearances", flat=True)) == {0, 1}


def test_each_poll_and_each_voter_has_its_own_open_ticket(voter, ticket_of) -> None:
    duel, ffa = ready_poll("duel", contestants=2), ready_poll("ffa", contestants=4)
    tickets = {ticket_of(duel, voter), ticket_of(ffa, voter), ticket_of(duel, Voter.objects.create())}
    assert len(tickets) == 3


def test_a_voter_never_gets_the_same_samples_twice(voter) -> None:
    poll = ready_poll("duel", contestants=3, prompts=2)
    rng = random.Random(1)
    shown = []
    while ticket := issue_ticket(poll, voter, rng):
        shown.append(frozenset(ticket.matchup.seats.values_list("sample_id", flat=True)))
        cast(ticket.token, "skip", voter)
    assert len(shown) == len(set(shown)) == 2 * 3


def test_a_closed_poll_hands_out_nothing_but_takes_the_answer_of_its_open_ticket(voter, ticket_of) -> None:
    poll = ready_poll("duel", contestants=2)
    ticket = ticket_of(poll, voter)
    poll.is_open = False
    poll.save()
    assert issue_ticket(poll, voter, random.Random(1)) is None
    assert cast(ticket.token, "1", voter).outcome == "1"


def test_an_empty_poll_hands_out_nothing(voter) -> None:
    assert issue_ticket(make_poll("duel"), voter, random.Random(1)) is None
    assert not Matchup.objects.exists()


def test_votes_are_numbered_from_one_without_gaps(voter) -> None:
    poll = ready_poll("duel", contestants=3, prompts=2)
    votes = [cast(issue_ticket(poll, voter, random.Random(1)).token, "1", voter) for _ in range(4)]
    assert [vote.number for vote in votes] == [1, 2, 3, 4]
    assert VoteLog.objects.get().length == 4


def test_a_second_answer_returns_the_first_vote(voter, ticket_of) -> None:
    ticket = ticket_of(ready_poll("duel", contestants=2), voter)
    first = cast(ticket.token, "2", voter)
    assert cast(ticket.token, "1", voter) == first
    assert cast(ticket.token, "nonsense", voter).outcome == "2"
    assert Vote.objects.count() == VoteLog.objects.get().length == 1


def test_an_emptied_database_starts_a_new_log(voter, ticket_of) -> None:
    VoteLog.objects.all().delete()
    assert cast(ticket_of(ready_poll("duel", contestants=2), voter).token, "1", voter).number == 1


def test_a_foreign_ticket_is_refused(voter, ticket_of) -> None:
    ticket = ticket_of(ready_poll("duel", contestants=2), voter)
    with pytest.raises(ForeignTicket, match="another voter"):
        cast(ticket.token, "1", Voter.objects.create())
    cast(ticket.token, "1", voter)
    with pytest.raises(ForeignTicket):
        cast(ticket.token, "1", Voter.objects.create())


@pytest.mark.parametrize("token", ["", "nothing-like-it", "\x00", "a" * 10_000, "é"])
def test_an_unknown_ticket_is_refused(voter, token: str) -> None:
    with pytest.raises(UnknownTicket):
        cast(token, "1", voter)


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        ("fixed", ["1", "2", "1=2", "bad", "skip"], ["1>2", "2>1"]),
        ("duel", ["1", "2", "skip"], ["1=2", "bad", "1>2"]),
        ("ffa", ["1", "4", "2>1=4>3", "1>2>3>4", "1=2=3=4", "bad", "skip"], ["1=2"]),
    ],
)
def test_each_poll_takes_its_own_answers(kind: str, good: list[str], wrong: list[str]) -> None:
    poll = make_poll(kind)
    assert [check_answer(poll, text) for text in good] == good
    for text in wrong:
        with pytest.raises(WrongAnswer):
            check_answer(poll, text)


@pytest.mark.parametrize("kind", ["fixed", "duel", "ffa"])
@pytest.mark.parametrize("text", ["", "0", "5", "left", "1 2", "1>1", "2>1=4>3>2", "9" * 5000, "\x00", "SKIP", "①"])
def test_malformed_answers_are_refused_and_leave_the_ticket_open(kind: str, text: str, voter, ticket_of) -> None:
    poll = ready_poll(kind, contestants=4, prompts=1)
    ticket = ticket_of(poll, voter)
    with pytest.raises(WrongAnswer):
        cast(ticket.token, text, voter)
    assert not Vote.objects.exists()
    assert cast(ticket.token, "1", voter).number == 1


def test_answers_are_stored_in_their_normal_spelling(voter, ticket_of) -> None:
    ticket = ticket_of(ready_poll("ffa", contestants=4), voter)
    assert cast(ticket.token, " 2>4=1>3 ", voter).outcome == "2>1=4>3"


def test_a_skip_keeps_its_reason_and_nothing_else_does(voter, ticket_of) -> None:
    poll = ready_poll("duel", contestants=3)
    assert cast(ticket_of(poll, voter).token, "skip", voter, "prompt").reason == "prompt"
    assert cast(ticket_of(poll, voter).token, "1", voter, "prompt").reason == ""
    with pytest.raises(WrongAnswer, match="not on the list"):
        cast(ticket_of(poll, voter).token, "skip", voter, "because")


def test_a_vote_cannot_be_changed_or_deleted(voter, ticket_of) -> None:
    vote = cast(ticket_of(ready_poll("duel", contestants=2), voter).token, "1", voter)
    vote.outcome = "2"
    with pytest.raises(AppendOnlyError):
        vote.save()
    with pytest.raises(AppendOnlyError):
        vote.delete()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Vote.objects.update(outcome="2")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE votes_vote SET created_at = created_at")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Vote.objects.all().delete()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM votes_vote")
    assert Vote.objects.get().outcome == "1"
    VoteExclusion.objects.create(vote=vote, reason="test")


def test_the_time_to_the_answer_is_kept_once_the_page_was_looked_at(voter) -> None:
    poll = ready_poll("duel", contestants=3)
    rng = random.Random(3)
    preloaded = issue_ticket(poll, voter, rng, preload=True)
    assert preloaded.shown_at is None
    assert cast(preloaded.token, "1", voter).answered_after_ms is None
    preloaded = issue_ticket(poll, voter, rng, preload=True)
    shown = issue_ticket(poll, voter, rng)
    assert shown == preloaded
    Ticket.objects.filter(pk=shown.pk).update(shown_at=timezone.now() - timedelta(seconds=3))
    assert issue_ticket(poll, voter, rng).shown_at < timezone.now() - timedelta(seconds=2)
    assert 3000 <= cast(shown.token, "2", voter).answered_after_ms < 60_000


def test_a_revoked_voter_gets_no_ticket_and_casts_no_vote(voter, ticket_of) -> None:
    poll = ready_poll("duel", contestants=3)
    answered, ticket = cast(ticket_of(poll, voter).token, "1", voter), ticket_of(poll, voter)
    Voter.objects.update(revoked_at=timezone.now())
    with pytest.raises(RevokedVoter):
        cast(ticket.token, "1", voter)  # This object does not know yet.
    voter.refresh_from_db()
    with pytest.raises(RevokedVoter):
        issue_ticket(poll, voter, random.Random(1))
    assert cast(answered.ticket.token, "1", voter) == answered
    assert Vote.objects.count() == VoteLog.objects.get().length == 1


def test_the_devices_of_one_account_are_never_shown_the_same(voter, django_user_model) -> None:
    account = django_user_model.objects.create(username="mei")
    devices = [Voter.objects.create(user=account) for _ in range(2)]
    poll = ready_poll("duel", contestants=2, prompts=2)
    first, second = (issue_ticket(poll, device, random.Random(1)) for device in devices)
    assert first.matchup.prompt != second.matchup.prompt
    cast(first.token, "1", devices[0])
    assert issue_ticket(poll, devices[0], random.Random(1)) is None


def test_appearances_equal_seats_taken(voter) -> None:
    poll = ready_poll("ffa", contestants=6)
    rng = random.Random(2)
    for _ in range(7):
        cast(issue_ticket(poll, voter, rng).token, "skip", voter)
    for enrolment in Enrolment.objects.filter(poll=poll):
        seats = Seat.objects.filter(matchup__poll=poll, sample__contestant=enrolment.contestant_id).count()
        assert enrolment.appearances == seats
    assert Ticket.objects.count() == 7


def test_a_withdrawn_contestant_stays_in_the_open_matchup(voter, ticket_of) -> None:
    poll = ready_poll("duel", contestants=2)
    ticket = ticket_of(poll, voter)
    poll.enrolments.update(withdrawn_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert ticket_of(poll, voter) == ticket
    assert cast(ticket.token, "2", voter).number == 1
