"""How many others saw it the same way; shown at the reveal only."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from arena.polls.models import Matchup
from arena.votes.models import Vote
from rating.outcomes import Outcome, parse_outcome


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `total` other votes on the same contestants in the same poll, `same` named the same best (or draw, or bad)."""

    same: int
    total: int

    @property
    def percent(self) -> int | None:
        """The share, 0-100; None when nobody else has voted on them."""
        return round(100 * self.same / self.total) if self.total else None


def agreement(vote: Vote) -> Agreement | None:
    """Compare a vote with those of its population on the same contestants; None for a skip.

    Prompt, seed and places may differ. Skips and excluded votes are not counted, nor is the vote itself.
    """
    if vote.outcome == "skip":
        return None
    others = votes_on_the_same(vote)
    return Agreement(others.filter(same_answer(vote)).count(), others.count())


def votes_on_the_same(vote: Vote) -> QuerySet[Vote]:
    """Counted votes of the same poll and population on exactly these contestants, without this one."""
    matchup = vote.ticket.matchup
    same = Matchup.objects.filter(poll=matchup.poll_id)
    for contestant in matchup.seats.values_list("sample__contestant_id", flat=True):
        same = same.filter(seats__sample__contestant=contestant)
    return Vote.objects.filter(
        ticket__matchup__in=same.values("pk"), ticket__voter__population=vote.ticket.voter.population, exclusion=None
    ).exclude(Q(outcome="skip") | Q(pk=vote.pk))


def same_answer(vote: Vote) -> Q:
    """Which votes say the same: the same contestant best, wherever it sat; or the same other answer."""
    seats = list(vote.ticket.matchup.seats.values_list("position", "sample__contestant_id").order_by("position"))
    position = best_seat(parse_outcome(vote.outcome, len(seats)))
    if position is None:
        return Q(outcome=vote.outcome)
    best = dict(seats)[position]
    answers = Q()
    for place, _ in seats:
        named = Q(outcome=str(place)) | Q(outcome__startswith=f"{place}>")
        answers |= named & Q(ticket__matchup__seats__position=place, ticket__matchup__seats__sample__contestant=best)
    return answers


def best_seat(outcome: Outcome) -> int | None:
    """The position of the one best seat, from 1; None when several share the first place or nothing was compared."""
    first = [position for position, rank in enumerate(outcome.ranks, 1) if rank == 0]
    return first[0] if len(first) == 1 else None
