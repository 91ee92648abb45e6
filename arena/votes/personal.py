"""A voter's own ranking: what their votes alone say about the checkpoints. docs/booth.md tells how to read it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from arena.gallery.models import Contestant
from arena.polls.models import Seat
from arena.votes.models import Ticket, Vote, Voter
from arena.votes.voters import own_by
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.system import Estimate
from rating.tally import Tally, count, join
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, votes_of

NEEDED = 30
MARGIN = 4.0


@dataclass(frozen=True)
class Place:
    """One contestant in the voter's own order; `left`, `dot` and `right` draw its interval, in percent of a width."""

    rank: int
    contestant: Contestant
    estimate: Estimate
    tally: Tally
    left: float
    dot: float
    right: float


@dataclass(frozen=True)
class Personal:
    """`votes` were answered and not taken back; `hidden` of them are not revealed yet and rate nobody here.

    `places` is empty until enough votes are revealed, or where they do not tie the contestants together (`groups`).
    """

    votes: int
    hidden: int
    missing: int
    groups: int
    places: list[Place]

    @property
    def shown(self) -> int:
        """Votes that the ranking is made of."""
        return self.votes - self.hidden


def kept_votes(voter: Voter) -> QuerySet[Vote]:
    """The voter's answers on all browsers of the account, without skips and those taken back."""
    votes = Vote.objects.filter(**own_by(voter, "ticket__voter")).exclude(outcome="skip")
    return votes.exclude(exclusion__rule="undone").order_by("number")


def personal_ranking(voter: Voter) -> Personal:
    """The ranking by revealed votes alone: with the others, it would tell who it was while they can be undone."""
    votes = kept_votes(voter)
    total = votes.count()
    revealed = votes.exclude(ticket__revealed_at=None)
    shown = revealed.count()
    if shown < NEEDED:
        return Personal(total, total - shown, max(0, NEEDED - total), 0, [])
    played = votes_of(games(revealed))
    groups = join([], played)
    return Personal(total, total - shown, 0, len(groups), places(played) if len(groups) == 1 else [])


def games(votes: QuerySet[Vote]) -> list[Game]:
    """The comparisons in votes, in the order of the log; those of "all bad" compare nobody."""
    rows = votes.values_list("ticket__matchup_id", "outcome", "ticket__matchup__poll__kind")
    chosen = list(rows)
    seats: dict[int, list[str]] = {}
    shown = Seat.objects.filter(matchup__in={matchup for matchup, _, _ in chosen}).order_by("matchup_id", "position")
    for matchup, contestant in shown.values_list("matchup_id", "sample__contestant_id"):
        seats.setdefault(matchup, []).append(str(contestant))
    outcomes = [(seats[matchup], parse_outcome(text, len(seats[matchup])), kind) for matchup, text, kind in chosen]
    return [Game(tuple(seated), outcome, kind) for seated, outcome, kind in outcomes if outcome.counts]


def places(played: Votes) -> list[Place]:
    """Everybody in the votes, best estimate first."""
    system = TrueSkillSystem()
    estimates = system.standings(system.fold(system.start(), played))
    tallies = count({}, played)
    contestants = Contestant.objects.select_related("checkpoint__run", "lora").in_bulk([int(key) for key in estimates])
    best_first = sorted(estimates.items(), key=lambda pair: (-(pair[1].mu or 0.0), pair[0]))
    across = axis(estimates.values())
    return [
        Place(rank, contestants[int(key)], estimate, tallies[key], *across(estimate))
        for rank, (key, estimate) in enumerate(best_first, 1)
    ]


def axis(estimates: Iterable[Estimate]) -> Callable[[Estimate], tuple[float, float, float]]:
    """A function from an estimate to (left, dot, right) on the axis that holds all of them."""
    ends = [(estimate.low or 0.0, estimate.high or 0.0) for estimate in estimates]
    least, most = min(low for low, _ in ends), max(high for _, high in ends)

    def at(number: float | None) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * ((number or 0.0) - least) / ((most - least) or 1.0), 2)

    return lambda estimate: (at(estimate.low), at(estimate.mu), at(estimate.high))


def reveal_all(voter: Voter) -> int:
    """Tell the voter who it was in every vote that stands; none of them can be undone afterwards."""
    answered = kept_votes(voter).filter(ticket__revealed_at=None).values("ticket_id")
    return Ticket.objects.filter(pk__in=answered).update(revealed_at=timezone.now())
