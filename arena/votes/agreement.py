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
    """Compare a vote with those of its population on the same contestants; None for a skip or a shared first place.

    Prompt, seed and places may differ. Skips and excluded votes are not counted, nor is the vote itself.
    """
    same = same_answer(vote)
    if same is None:
        return None
    others = votes_on_the_same(vote)
    return Agreement(others.filter(same).count(), others.count())


def votes_on_the_same(vote: Vote) -> QuerySet[Vote]:
    """Counted votes of the same poll and population on exactly these contestants, without this one."""
    matchup = vote.ticket.matchup
    same = Matchup.objects.filter(poll=matchup.poll_id)
    for contestant in matchup.seats.values_list("sample__contestant_id", flat=True):
        same = same.filter(seats__sample__contestant=contestant)
    return Vote.objects.filter(
        ticket__matchup__in=same.values("pk"), ticket__voter__population=vote.ticket.voter.population, exclusion=None
    ).exclude(Q(outcome="skip") | Q(pk=vote.pk))


def same_answer(vote: Vote) -> Q | None:
    """Which votes say the same: the same contestant best, wherever it sat; or a draw of all; or all bad.

    None for an answer without one best contestant that is neither.
    """
    seats = dict(vote.ticket.matchup.seats.values_list("position", "sample__contestant_id"))
    outcome = parse_outcome(vote.outcome, len(seats))
    if outcome.kind in {"draw", "bad"}:
        return Q(outcome=vote.outcome)
    position = best_seat(outcome)
    if position is None:
        return None
    answers = Q()
    for place in seats:
        named = Q(outcome=str(place)) | Q(outcome__startswith=f"{place}>")
        sat_there = Q(
            ticket__matchup__seats__position=place, ticket__matchup__seats__sample__contestant=seats[position]
        )
        answers |= named & sat_there
    return answers


def best_seat(outcome: Outcome) -> int | None:
    """The position of the one best seat, from 1; None when several share the first place or nothing was compared."""
    first = [position for position, rank in enumerate(outcome.ranks, 1) if rank == 0]
    return first[0] if len(first) == 1 else None
