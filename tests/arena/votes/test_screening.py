"""Screening in the database: what becomes of votes as they are cast, and at a second look."""

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from arena.gallery.models import Sample
from arena.polls.models import Matchup, Poll, Seat
from arena.votes import rescreening, screening
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from arena.votes.rescreening import rescreen
from tests.arena.votes.building import enrol, make_contestant, make_poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def poll() -> Poll:
    """A duel of four contestants with 144 possible matchups; nobody looks at the images."""
    poll = make_poll("duel", prompts=12, seeds=(1, 2))
    contestants = [make_contestant(epoch) for epoch in range(1, 5)]
    enrol(poll, *contestants, rendered=False)
    cells = [(prompt, seed) for prompt in poll.prompt_set.prompts.all() for seed in poll.prompt_set.seeds]
    Sample.objects.bulk_create(
        Sample(contestant=contestant, prompt=prompt, seed=seed) for contestant in contestants for prompt, seed in cells
    )
    return poll


def vote(poll: Poll, voter: Voter, answer: str | Callable[[list[int]], str] = "1", number: int = 1) -> list[Vote]:
    """Cast that many votes; `answer` may choose by the epochs shown."""
    rng, made = random.Random(voter.pk), []
    for _ in range(number):
        ticket = issue_ticket(poll, voter, rng)
        epochs = list(ticket.matchup.seats.values_list("sample__contestant__checkpoint__epoch", flat=True))
        made.append(cast(ticket.token, answer if isinstance(answer, str) else answer(epochs), voter))
    return made


def alternating(epochs: list[int]) -> str:
    """Neither one-sided nor anybody's: epoch 2 wins on the left, epoch 3 on the right, and so on."""
    return "1" if epochs[0] % 2 == 0 else "2"


def latest(epochs: list[int]) -> str:
    """What nearly everybody prefers."""
    return str(1 + epochs.index(max(epochs)))


def fan_of_the_first(epochs: list[int]) -> str:
    """Epoch 1 wherever it is shown, and with everybody else otherwise."""
    return str(1 + epochs.index(1)) if 1 in epochs else latest(epochs)


def states(voter: Voter) -> list[str]:
    """Of the voter's votes, in order: the state and the rule, or "counted"."""
    rows = Vote.objects.filter(ticket__voter=voter).order_by("number").select_related("exclusion")
    return [f"{row.exclusion.state} {row.exclusion.rule}" if hasattr(row, "exclusion") else "counted" for row in rows]


def test_an_answer_without_a_look_is_excluded(poll, voter, settings) -> None:
    settings.ARENA_MIN_ANSWER_MS = 300
    ticket = issue_ticket(poll, voter, random.Random(1))
    made = cast(ticket.token, "1", voter)
    assert made.answered_after_ms < 300
    assert states(voter) == ["excluded too-fast"]
    assert made.exclusion.reason == (f"too-fast/1: answered after {made.answered_after_ms} ms, at least 300 are needed")
    slow = issue_ticket(poll, voter, random.Random(1))
    Ticket.objects.filter(pk=slow.pk).update(shown_at=timezone.now() - timedelta(seconds=2))
    cast(slow.token, "1", voter)
    assert states(voter) == ["excluded too-fast", "counted"]


def test_a_skip_is_not_screened(poll, voter, settings) -> None:
    settings.ARENA_MIN_ANSWER_MS, settings.ARENA_SCREEN_VOTES_PER_MINUTE = 300, 1
    vote(poll, voter, "skip", 3)
    assert states(voter) == ["counted"] * 3


def test_more_answers_than_plausible_wait_unverified(poll, voter, settings) -> None:
    settings.ARENA_SCREEN_VOTES_PER_MINUTE = 5
    vote(poll, voter, alternating, 7)
    assert states(voter) == ["counted"] * 5 + ["unverified rate"] * 2
    assert VoteExclusion.objects.first().reason == "rate/1: 6 answers in a minute, 5 are plausible"


def test_the_same_images_from_the_same_account_count_once(poll) -> None:
    account = User.objects.create(username="two-devices")
    phone, laptop = (Voter.objects.create(user=account) for _ in range(2))
    (earlier,) = vote(poll, phone)
    seats = list(earlier.ticket.matchup.seats.all())
    again = Matchup.objects.create(poll=poll, prompt=earlier.ticket.matchup.prompt, seed=1, rule="test")
    for seat in seats:
        Seat.objects.create(matchup=again, position=3 - seat.position, sample=seat.sample)
    cast(Ticket.objects.create(voter=laptop, matchup=again).token, "2", laptop)
    assert (states(phone), states(laptop)) == (["counted"], ["excluded duplicate"])
    assert f"vote {earlier.number} " in VoteExclusion.objects.get().reason


def test_always_left_is_set_aside_while_voting_and_so_are_the_next_votes(poll, voter, caplog) -> None:
    vote(poll, voter, "1", 19)
    assert set(states(voter)) == {"counted"}
    with caplog.at_level(logging.WARNING):
        vote(poll, voter, "1", 3)
    assert states(voter) == ["unverified one-sided"] * 22
    reasons = list(VoteExclusion.objects.order_by("vote__number").values_list("reason", flat=True))
    assert reasons[0].startswith("one-sided/1: seat 1 of 2 in 20 of 20 choices")
    assert reasons[21] == "one-sided/1: as vote 21 of the same voter"
    assert "ALARM: 20 votes" in caplog.text
    vote(poll, voter, "1", 38)
    assert set(states(voter)) == {"excluded one-sided"}


def test_a_careful_voter_is_never_set_aside(poll, voter) -> None:
    vote(poll, voter, latest, 60)
    assert set(states(voter)) == {"counted"}
    voter.refresh_from_db()
    assert voter.last_screened_number == 60


def test_simulated_voters_are_not_screened(poll, settings) -> None:
    settings.ARENA_SCREEN_VOTES_PER_MINUTE = 2
    robot = Voter.objects.create(population="simulated")
    vote(poll, robot, "1", 25)
    assert set(states(robot)) == {"counted"}


def test_when_screening_breaks_the_vote_counts_and_an_alarm_is_logged(poll, voter, monkeypatch, caplog) -> None:
    def broken(*arguments: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM votes_vote")

    monkeypatch.setattr(screening, "too_fast", broken)
    (made,) = vote(poll, voter)
    assert Vote.objects.get() == made
    assert states(voter) == ["counted"]
    assert "ALARM: screening failed at vote 1" in caplog.text


def test_a_second_look_finds_a_fan(poll) -> None:
    crowd = [Voter.objects.create() for _ in range(8)]
    for one in crowd:
        vote(poll, one, latest, 40)
    fan = Voter.objects.create()
    vote(poll, fan, fan_of_the_first, 40)
    report = rescreen()
    assert {pk: finding.rule for pk, finding in report.findings.items()} == {fan.pk: "fan"}
    assert set(states(fan)) <= {"unverified fan", "excluded fan"}
    assert report.set_aside == 40
    assert all(set(states(one)) == {"counted"} for one in crowd)


def test_unverified_votes_count_again_when_the_finding_is_gone(poll, monkeypatch) -> None:
    crowd = [Voter.objects.create() for _ in range(8)]
    for one in crowd:
        vote(poll, one, latest, 40)
    suspect = crowd[0]
    screening.set_aside(suspect, screening.Finding("random", False, "a test"))
    assert set(states(suspect)) == {"unverified random"}
    assert rescreen().lifted == 40
    assert set(states(suspect)) == {"counted"}


def test_rate_is_forgiven_when_there_is_enough_to_judge_by(poll, settings) -> None:
    settings.ARENA_SCREEN_VOTES_PER_MINUTE = 5
    quick, newcomer = Voter.objects.create(), Voter.objects.create()
    vote(poll, quick, latest, 40)
    vote(poll, newcomer, latest, 7)
    assert rescreen().lifted == 35
    assert set(states(quick)) == {"counted"}
    assert "unverified rate" in states(newcomer)


def test_what_people_decided_stays(poll, voter) -> None:
    made = vote(poll, voter, "1", 19)
    VoteExclusion.objects.create(vote=made[3], reason="looked at by hand")
    vote(poll, voter, "1", 15)
    rows = states(voter)
    assert rows[3] == "excluded by-hand"
    assert set(rows[:3] + rows[4:]) == {"unverified one-sided"}
    screening.lift(voter)
    assert states(voter)[3] == "excluded by-hand"


def test_when_many_voters_look_suspicious_nothing_is_changed_and_an_alarm_is_logged(poll, caplog, monkeypatch) -> None:
    voters = [Voter.objects.create() for _ in range(8)]
    monkeypatch.setattr(screening, "EVERY", 1000)
    for one in voters:
        vote(poll, one, "1", 20)
    report = rescreen()
    assert (len(report.findings), report.set_aside) == (8, 0)
    assert "8 of 8 voters" in report.stopped
    assert "ALARM" in caplog.text
    assert not VoteExclusion.objects.exists()
    assert rescreen(force=True).set_aside == 160


def test_the_alarm_also_stops_screening_while_voting(poll, caplog) -> None:
    voters = [Voter.objects.create() for _ in range(8)]
    for one in voters:
        vote(poll, one, "1", 20)
    assert [states(one)[0] for one in voters] == ["unverified one-sided"] * 5 + ["counted"] * 3
    assert "too many voters do: nothing was set aside" in caplog.text


def test_revoked_voters_and_excluded_ones_are_left_alone(poll) -> None:
    voter = Voter.objects.create(revoked_at=timezone.now(), revoked_reason="test")
    other = Voter.objects.create()
    vote(poll, other, "1", 60)
    before = states(other)
    report = rescreen()
    assert (report.voters, report.set_aside, report.lifted) == (0, 0, 0)
    assert states(other) == before
    assert not states(voter)


def test_the_command_says_what_it_found(poll, monkeypatch) -> None:
    monkeypatch.setattr(screening, "EVERY", 1000)
    voter = Voter.objects.create()
    vote(poll, voter, "1", 25)
    text = StringIO()
    call_command("screen", "--dry-run", stdout=text)
    assert f"voter {voter.pk}: unverified, one-sided/1: seat 1 of 2 in 25 of 25 choices" in text.getvalue()
    assert not VoteExclusion.objects.exists()
    call_command("screen", "--json", stdout=text)
    assert '"set_aside": 25' in text.getvalue()
    assert VoteExclusion.objects.count() == 25


def test_portions_make_no_difference(poll, voter, monkeypatch) -> None:
    vote(poll, voter, latest, 30)
    whole = rescreening.people_votes()
    monkeypatch.setattr(rescreening, "PORTION", 7)
    pieces = rescreening.people_votes()
    assert (pieces.seats == whole.seats).all()
    assert (pieces.ranks == whole.ranks).all()
