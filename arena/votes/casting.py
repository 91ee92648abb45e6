"""Handing out tickets and taking answers: the only two ways by which a vote comes to be. docs/votes.md explains."""

import random
import re
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.gallery.models import Contestant, Sample
from arena.polls.models import Enrolment, Matchup, Poll, Seat
from arena.polls.pairing import check_conditions, choose
from arena.votes.models import Ticket, Vote, VoteLog, Voter, oldest_open_ticket
from arena.votes.refusals import ExpiredTicket, ForeignTicket, RevokedVoter, UnknownTicket, WrongAnswer
from arena.votes.screening import on_cast
from arena.votes.voters import own_by
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
    "": gettext_lazy("why? (optional)"),
    "undecided": gettext_lazy("cannot decide"),
    "prompt": gettext_lazy("unclear prompt"),
    "broken": gettext_lazy("broken image"),
    "unsuitable": gettext_lazy("unsuitable image"),
}


def issue_ticket(poll: Poll, voter: Voter, rng: random.Random, *, preload: bool = False) -> Ticket | None:
    """The voter's unanswered ticket of this poll, or a new one for a matchup never shown to this voter.

    Two requests at once get the same ticket. None when the poll is closed or holds nothing new for this voter. With
    `preload` the clock of the answer does not start: the page is fetched before it is looked at.

    Raises RevokedVoter.
    """
    check_welcome(voter)
    if not poll.is_open:
        return None
    now = None if preload else timezone.now()
    with transaction.atomic():
        # One request of a voter after the other: the second finds the ticket of the first.
        Voter.objects.select_for_update(no_key=True).filter(pk=voter.pk).values_list("pk").get()
        ticket = open_ticket(poll, voter) or new_ticket(poll, voter, rng, now)
    if ticket and now and not ticket.shown_at:
        ticket.shown_at = now
        Ticket.objects.filter(pk=ticket.pk, shown_at=None).update(shown_at=now)
    return ticket


def new_ticket(poll: Poll, voter: Voter, rng: random.Random, shown_at: datetime | None) -> Ticket | None:
    """Choose a matchup for the voter, whose row is locked; None when nothing new is left."""
    choice = choose(poll, rng=rng, seen=seen_groups(poll, voter))
    return show(poll, voter, choice.samples, choice.rule, shown_at) if choice else None


def open_ticket(poll: Poll, voter: Voter) -> Ticket | None:
    """The voter's newest ticket of this poll that waits for an answer."""
    waiting = Ticket.objects.filter(voter=voter, matchup__poll=poll, vote=None, created_at__gte=oldest_open_ticket())
    # Mostly there is none, and looking that up needs no other tables.
    newest = waiting.order_by("-id").values_list("pk", flat=True).first()
    return (
        Ticket.objects.select_related("matchup__poll", "matchup__prompt__character").get(pk=newest) if newest else None
    )


def seen_groups(poll: Poll, voter: Voter) -> set[frozenset[int]]:
    """The sets of sample ids that this poll has shown to the voter, on any device of the account, answered or not."""
    shown = Seat.objects.filter(matchup__poll=poll, **own_by(voter, "matchup__tickets__voter")).order_by()
    groups: dict[int, set[int]] = {}
    for matchup, sample in shown.values_list("matchup_id", "sample_id"):
        groups.setdefault(matchup, set()).add(sample)
    return {frozenset(group) for group in groups.values()}


def show(poll: Poll, voter: Voter, samples: Sequence[Sample], rule: str, shown_at: datetime | None = None) -> Ticket:
    """Seat the samples in the given order in a new matchup and hand its ticket to the voter, all or nothing.

    Raises generation.errors.RenderError for samples that were not rendered under equal conditions.
    """
    check_conditions(samples)
    with transaction.atomic(savepoint=False):
        first = samples[0]
        matchup = Matchup.objects.create(poll=poll, prompt=first.prompt, seed=first.seed, rule=rule)
        Seat.objects.bulk_create(
            Seat(matchup=matchup, position=position, sample=sample) for position, sample in enumerate(samples, 1)
        )
        ticket = Ticket.objects.create(voter=voter, matchup=matchup, shown_at=shown_at)
        # Last, since everybody who is shown one of these contestants waits for these rows.
        count_appearances(poll, [sample.contestant_id for sample in samples])
        return ticket


def count_appearances(poll: Poll, contestants: Sequence[int]) -> None:
    """Add one appearance each; rows are locked in one order so that two matchups at once cannot deadlock."""
    enrolled = Enrolment.objects.filter(poll=poll, contestant__in=contestants).order_by("id")
    locked = enrolled.select_for_update(no_key=True)
    Enrolment.objects.filter(pk__in=locked.values("pk")).update(appearances=F("appearances") + 1)


def cast(ticket_token: str, outcome_text: str, voter: Voter, reason: str = "") -> Vote:
    """Append the voter's answer to the log, or return the vote that the ticket already has.

    Args:
        ticket_token: public name of the ticket.
        outcome_text: in seat numbers as in the vote file: ``2``, ``1=2``, ``2>1=4>3``, ``bad``, ``skip``.
        voter: who answers; must be the ticket's holder.
        reason: for a skip, a key of `SKIP_REASONS`; ignored otherwise.

    Votes are numbered in the order in which they commit: the log's row stays locked until this one is written.

    Raises:
        UnknownTicket, ForeignTicket, ExpiredTicket, RevokedVoter, WrongAnswer: see there; nothing is written.
    """
    ticket = find_ticket(ticket_token, voter)
    if hasattr(ticket, "vote"):
        return ticket.vote
    check_welcome(voter)
    if ticket.expired:
        raise ExpiredTicket(
            _("This matchup was handed out more than %(hours)g hours ago.") % {"hours": settings.ARENA_TICKET_HOURS},
            f"/polls/{ticket.matchup.poll.kind}/",
        )
    outcome_text = check_answer(ticket.matchup.poll, outcome_text, reason)
    try:
        return append(ticket, outcome_text, reason if outcome_text == "skip" else "")
    except IntegrityError:
        earlier = Vote.objects.filter(ticket=ticket).select_related("ticket").first()
        if earlier is None:
            raise
        return earlier


def append(ticket: Ticket, outcome_text: str, reason: str) -> Vote:
    """Write the vote under the log's next number. Raises IntegrityError if the ticket has a vote by now."""
    now = timezone.now()
    thought = now - ticket.shown_at if ticket.shown_at else None
    with transaction.atomic():
        number = next_number()
        # Whoever revokes a voter holds the log meanwhile, so no vote slips in between.
        voter = Voter.objects.get(pk=ticket.voter_id)
        check_welcome(voter)
        vote = Vote.objects.create(
            number=number,
            ticket=ticket,
            outcome=outcome_text,
            reason=reason,
            answered_after_ms=None if thought is None else max(0, round(1000 * thought.total_seconds())),
            created_at=now,
        )
        on_cast(vote, voter)
        return vote


def next_number() -> int:
    """Lengthen the log by one and hold it until the transaction ends, so that numbers commit in order."""
    take = f"UPDATE {VoteLog._meta.db_table} SET length = length + 1 WHERE id = %s RETURNING length"
    with connection.cursor() as cursor:
        cursor.execute(take, [LOG_KEY])
        row = cursor.fetchone()
        if row is None:
            VoteLog.objects.get_or_create(pk=LOG_KEY)
            cursor.execute(take, [LOG_KEY])
            row = cursor.fetchone()
    return int(row[0])


def check_welcome(voter: Voter) -> None:
    """Raises RevokedVoter for a voter whose votes, here or elsewhere in the account, were taken off for good."""
    revoked = voter if voter.revoked_at else None
    if voter.user_id and not revoked:
        revoked = Voter.objects.filter(user=voter.user_id, revoked_at__isnull=False).first()
    if revoked:
        reason = revoked.revoked_reason or _("misuse")
        raise RevokedVoter(_("The votes from this browser were taken off the boards: %(reason)s") % {"reason": reason})


def find_ticket(token: str, voter: Voter | None) -> Ticket:
    """The ticket of that name, if this voter holds it. Raises UnknownTicket or ForeignTicket."""
    tickets = Ticket.objects.select_related("matchup__poll", "vote")
    ticket = tickets.filter(token=token).first() if TOKEN.fullmatch(token) else None
    if ticket is None:
        raise UnknownTicket(_("There is no such ticket."))
    if voter is None or ticket.voter_id != voter.pk:
        raise ForeignTicket(_("This ticket was handed to another voter."))
    return ticket


def check_answer(poll: Poll, outcome_text: str, reason: str = "") -> str:
    """The outcome in its normal spelling, if the poll allows it. Raises WrongAnswer naming what is wrong."""
    booth = f"/polls/{poll.kind}/"
    try:
        outcome = parse_outcome(outcome_text.strip(), poll.seat_count)
    except OutcomeError as error:
        raise WrongAnswer(_("The answer was not understood: %(error)s") % {"error": error}, booth) from error
    if outcome.kind not in ANSWERS[Poll.Kind(poll.kind)]:
        names = {"answer": format_outcome(outcome), "poll": poll}
        raise WrongAnswer(_("“%(answer)s” is not an answer of the poll “%(poll)s”.") % names, booth)
    if reason not in SKIP_REASONS:
        raise WrongAnswer(_("That reason for skipping is not on the list."), booth)
    return format_outcome(outcome)


def seated_contestants(ticket: Ticket) -> list[Contestant]:
    """Who sat where, by position; for the reveal only."""
    seats = ticket.matchup.seats.select_related(
        "sample__contestant__checkpoint__run", "sample__contestant__lora"
    ).order_by("position")
    return [seat.sample.contestant for seat in seats]
