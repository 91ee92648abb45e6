"""Handing out tickets and taking answers: the only two ways by which a vote comes to be. docs/votes.md explains."""

import random
import re
from collections.abc import Sequence

from django.db import transaction

from arena.gallery.models import Contestant, Sample
from arena.polls.models import Enrolment, Matchup, Poll, Seat
from arena.polls.pairing import choose
from arena.votes.models import Ticket, Vote, VoteLog, Voter
from arena.votes.refusals import ForeignTicket, UnknownTicket, WrongAnswer
from rating.errors import OutcomeError
from rating.outcomes import format_outcome, parse_outcome

LOG_KEY = 1
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,40}")
ANSWERS = {
    Poll.Kind.FIXED: frozenset({"pick", "draw", "bad", "skip"}),
    Poll.Kind.DUEL: frozenset({"pick", "skip"}),
    # Ranking all four alike is a draw of four.
    Poll.Kind.FFA: frozenset({"pick", "ranking", "draw", "bad", "skip"}),
}
SKIP_REASONS = {
    "": "why? (optional)",
    "undecided": "cannot decide",
    "prompt": "unclear prompt",
    "broken": "broken image",
    "unsuitable": "unsuitable image",
}


def issue_ticket(poll: Poll, voter: Voter, rng: random.Random) -> Ticket | None:
    """The voter's unanswered ticket of this poll, or a new one for a matchup never shown to this voter.

    Two requests at once get the same ticket. None when the poll is closed or holds nothing new for this voter.
    """
    if not poll.is_open:
        return None
    ticket = open_ticket(poll, voter)
    if ticket:
        return ticket
    with transaction.atomic():
        Voter.objects.select_for_update().get(pk=voter.pk)
        ticket = open_ticket(poll, voter)
        if ticket:
            return ticket
        choice = choose(poll, rng=rng, seen=seen_groups(poll, voter))
        return show(poll, voter, choice.samples, choice.rule) if choice else None


def open_ticket(poll: Poll, voter: Voter) -> Ticket | None:
    """The voter's newest ticket of this poll that waits for an answer."""
    waiting = Ticket.objects.filter(voter=voter, matchup__poll=poll, vote=None)
    return waiting.select_related("matchup__poll", "matchup__prompt__character").order_by("-id").first()


def seen_groups(poll: Poll, voter: Voter) -> set[frozenset[int]]:
    """The sets of sample ids that this poll has shown to the voter, answered or not."""
    shown = Seat.objects.filter(matchup__poll=poll, matchup__tickets__voter=voter).order_by()
    groups: dict[int, set[int]] = {}
    for matchup, sample in shown.values_list("matchup_id", "sample_id"):
        groups.setdefault(matchup, set()).add(sample)
    return {frozenset(group) for group in groups.values()}


def show(poll: Poll, voter: Voter, samples: Sequence[Sample], rule: str) -> Ticket:
    """Seat the samples in the given order in a new matchup and hand its ticket to the voter, all or nothing."""
    with transaction.atomic():
        first = samples[0]
        matchup = Matchup.objects.create(poll=poll, prompt=first.prompt, seed=first.seed, rule=rule)
        Seat.objects.bulk_create(
            Seat(matchup=matchup, position=position, sample=sample) for position, sample in enumerate(samples, 1)
        )
        count_appearances(poll, [sample.contestant_id for sample in samples])
        return Ticket.objects.create(voter=voter, matchup=matchup)


def count_appearances(poll: Poll, contestants: Sequence[int]) -> None:
    """Add one appearance each; rows are locked in one order so that two matchups at once cannot deadlock."""
    enrolled = Enrolment.objects.filter(poll=poll, contestant__in=contestants).order_by("id")
    for enrolment in enrolled.select_for_update():
        enrolment.appearances += 1
        enrolment.save(update_fields=["appearances"])


def cast(ticket_token: str, outcome_text: str, voter: Voter, reason: str = "") -> Vote:
    """Append the voter's answer to the log, or return the vote that the ticket already has.

    Args:
        ticket_token: public name of the ticket.
        outcome_text: in seat numbers as in the vote file: ``2``, ``1=2``, ``2>1=4>3``, ``bad``, ``skip``.
        voter: who answers; must be the ticket's holder.
        reason: for a skip, a key of `SKIP_REASONS`; ignored otherwise.

    Votes are numbered in the order in which they commit: the log's row stays locked until this one is written.

    Raises:
        UnknownTicket, ForeignTicket, WrongAnswer: see there; nothing is written.
    """
    ticket = find_ticket(ticket_token, voter)
    if hasattr(ticket, "vote"):
        return ticket.vote
    outcome_text = check_answer(ticket.matchup.poll, outcome_text, reason)
    with transaction.atomic():
        log, _ = VoteLog.objects.select_for_update().get_or_create(pk=LOG_KEY)
        earlier = Vote.objects.filter(ticket=ticket).first()
        if earlier:
            return earlier
        log.length += 1
        log.save(update_fields=["length"])
        return Vote.objects.create(
            number=log.length, ticket=ticket, outcome=outcome_text, reason=reason if outcome_text == "skip" else ""
        )


def find_ticket(token: str, voter: Voter | None) -> Ticket:
    """The ticket of that name, if this voter holds it. Raises UnknownTicket or ForeignTicket."""
    tickets = Ticket.objects.select_related("matchup__poll", "matchup__prompt__character", "vote")
    ticket = tickets.filter(token=token).first() if TOKEN.fullmatch(token) else None
    if ticket is None:
        raise UnknownTicket("There is no such ticket.")
    if voter is None or ticket.voter_id != voter.pk:
        raise ForeignTicket("This ticket was handed to another voter.")
    return ticket


def check_answer(poll: Poll, outcome_text: str, reason: str = "") -> str:
    """The outcome in its normal spelling, if the poll allows it. Raises WrongAnswer naming what is wrong."""
    booth = f"/polls/{poll.kind}/"
    try:
        outcome = parse_outcome(outcome_text.strip(), poll.seat_count)
    except OutcomeError as error:
        raise WrongAnswer(f"The answer was not understood: {error}", booth) from error
    if outcome.kind not in ANSWERS[Poll.Kind(poll.kind)]:
        raise WrongAnswer(f"“{format_outcome(outcome)}” is not an answer of the poll “{poll}”.", booth)
    if reason not in SKIP_REASONS:
        raise WrongAnswer("That reason for skipping is not on the list.", booth)
    return format_outcome(outcome)


def seated_contestants(ticket: Ticket) -> list[Contestant]:
    """Who sat where, by position; for the reveal only."""
    seats = ticket.matchup.seats.select_related("sample__contestant__checkpoint__run").order_by("position")
    return [seat.sample.contestant for seat in seats]
