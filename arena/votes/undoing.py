"""After the answer: telling the voter who it was, or taking the answer back. One excludes the other.

Both lock the ticket's row, so of a reveal and an undo at the same moment one wins and the other is refused.
"""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from arena.votes.casting import check_welcome, find_ticket
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from arena.votes.refusals import AlreadyRevealed, AlreadyUndone, NothingToUndo, PollClosed

MAX_REASON = 200


def is_undone(vote: Vote) -> bool:
    """Whether its voter took it back."""
    exclusion = VoteExclusion.objects.filter(vote=vote).first()
    return exclusion is not None and exclusion.rule == VoteExclusion.Rule.UNDONE


def reveal(token: str, voter: Voter | None) -> Ticket:
    """Note that the voter is told who it was; from now on the answer cannot be taken back.

    Raises UnknownTicket, ForeignTicket, NothingToUndo before the answer, AlreadyUndone for an answer taken back.
    """
    with transaction.atomic():
        ticket = locked(token, voter)
        if is_undone(ticket.vote):
            raise AlreadyUndone(_("You took this answer back."), booth_of(ticket))
        if ticket.revealed_at is None:
            ticket.revealed_at = timezone.now()
            ticket.save(update_fields=["revealed_at"])
    return ticket


def undo(token: str, voter: Voter | None) -> Ticket:
    """Take an answer back: the vote stays in the log, excluded; the matchup can be answered again with the new ticket.

    Sent again before the new ticket is answered, it returns the same new ticket.

    Raises UnknownTicket, ForeignTicket, RevokedVoter, NothingToUndo, AlreadyRevealed, AlreadyUndone, PollClosed.
    """
    with transaction.atomic():
        ticket = locked(token, voter)
        check_welcome(ticket.voter)
        if is_undone(ticket.vote):
            return waiting_again(ticket)
        if ticket.revealed_at:
            raise AlreadyRevealed(_("You know who it was, so this vote cannot be taken back."), booth_of(ticket))
        if not ticket.matchup.poll.is_open:
            raise PollClosed(_("This poll has closed, so the matchup could not be answered again."))
        exclude_undone(ticket.vote)
        return Ticket.objects.create(voter=ticket.voter, matchup=ticket.matchup)


def locked(token: str, voter: Voter | None) -> Ticket:
    """The voter's answered ticket, nobody else changing it. Raises UnknownTicket, ForeignTicket, NothingToUndo."""
    found = find_ticket(token, voter)
    locked = Ticket.objects.select_for_update(no_key=True, of=("self",))
    ticket = locked.select_related("matchup__poll", "voter").get(pk=found.pk)
    if not Vote.objects.filter(ticket=ticket).exists():
        raise NothingToUndo(_("This matchup is not answered yet."), booth_of(ticket))
    return ticket


def exclude_undone(vote: Vote) -> None:
    """Take the vote off the boards; what was held against it before is kept in words."""
    earlier = VoteExclusion.objects.filter(vote=vote).first()
    before = f"; before: {earlier.rule}, {earlier.reason}" if earlier else ""
    VoteExclusion.objects.update_or_create(
        vote=vote,
        defaults={
            "state": VoteExclusion.State.EXCLUDED,
            "rule": VoteExclusion.Rule.UNDONE,
            "reason": f"undone by the voter{before}"[:MAX_REASON],
        },
    )


def waiting_again(ticket: Ticket) -> Ticket:
    """The new ticket of an answer taken back, while it waits. Raises AlreadyUndone once it is answered."""
    newer = Ticket.objects.filter(matchup=ticket.matchup, voter=ticket.voter, pk__gt=ticket.pk, vote=None).first()
    if newer is None or newer.expired:
        text = _("You took this answer back already, and the matchup is answered again.")
        raise AlreadyUndone(text, booth_of(ticket))
    return newer


def booth_of(ticket: Ticket) -> str:
    """Where the voter goes on."""
    return f"/polls/{ticket.matchup.poll.kind}/"
