"""The second look at everybody's votes: `manage.py screen` and the worker. docs/screening.md explains.

It reads the whole log of people's votes, so it has no place in a request.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery

from arena.gallery.models import Contestant
from arena.polls.models import Seat
from arena.votes.casting import LOG_KEY
from arena.votes.models import Vote, VoteExclusion, VoteLog, Voter
from arena.votes.screening import (
    ABOUT_VOTERS,
    State,
    judged,
    lift,
    set_aside,
    set_aside_voters,
    too_many,
    waiting_rows,
)
from arena.votes.screening_rules import INFORMATIVE, Finding, screen
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votes import Votes, votes_of

PORTION = 2000

logger = logging.getLogger(__name__)


@dataclass
class Report:
    """What a second look found and did; `stopped` says why it changed nothing."""

    voters: int = 0
    votes: int = 0
    findings: dict[int, Finding] = field(default_factory=dict)
    set_aside: int = 0
    lifted: int = 0
    stopped: str = ""


def rescreen(*, dry_run: bool = False, force: bool = False) -> Report:
    """Judge every person by all of their votes; set aside, confirm or count again.

    Voters already excluded by a rule, and revoked ones, are decided and stay so. When more voters are found than can
    be true, nothing is changed and the log raises an alarm, unless `force` is given.
    """
    votes = people_votes()
    findings = {int(voter): finding for voter, finding in screen(votes, runs_of(votes.contestants)).items()}
    report = Report(voters=len(votes.voters), votes=len(votes), findings=findings)
    if too_many(set(findings) | set_aside_voters(), report.voters) and not force:
        report.stopped = f"{len(findings)} of {report.voters} voters look suspicious: more than can be true"
        logger.error("ALARM: %s; nothing was changed", report.stopped)
    elif not dry_run:
        act(votes, findings, report)
        note_screened(votes)
    return report


def note_screened(votes: Votes) -> None:
    """Write down how far each voter's votes have been looked at."""
    last = Vote.objects.filter(ticket__voter=OuterRef("pk")).order_by().values("ticket__voter")
    numbers = Subquery(last.annotate(last=Max("number")).values("last"))
    Voter.objects.filter(pk__in=[int(voter) for voter in votes.voters]).update(last_screened_number=numbers)


def act(votes: Votes, findings: dict[int, Finding], report: Report) -> None:
    """Write what was found, voter by voter, each while nobody votes."""
    counts = {int(name): int((votes.voter == code).sum()) for code, name in enumerate(votes.voters)}
    waiting = VoteExclusion.objects.filter(state=State.UNVERIFIED).values_list("vote__ticket__voter_id", flat=True)
    for pk in sorted(set(findings) | set(waiting)):
        with transaction.atomic():
            VoteLog.objects.select_for_update(no_key=True).get(pk=LOG_KEY)
            voter = Voter.objects.get(pk=pk)
            if voter.revoked_at:
                continue
            if pk in findings:
                report.set_aside += set_aside(voter, findings[pk])
            elif enough(voter, counts.get(pk, 0)):
                report.lifted += lift(voter)


def enough(voter: Voter, votes: int) -> bool:
    """Whether a voter without a finding has voted enough to be believed; votes set aside for the voter's sake are."""
    return votes >= INFORMATIVE or waiting_rows(voter).filter(rule__in=ABOUT_VOTERS).exists()


def people_votes() -> Votes:
    """The comparisons that say something about the people who made them, in the order of the log."""
    decided = VoteExclusion.objects.filter(rule__in=ABOUT_VOTERS, state=State.EXCLUDED)
    voters = decided.values_list("vote__ticket__voter_id", flat=True).distinct()
    votes = judged(Vote.objects.filter(ticket__voter__population=Voter.Population.PEOPLE)).order_by("number")
    votes = votes.exclude(ticket__voter__in=list(voters)).filter(ticket__voter__revoked_at=None)
    return votes_of(list(games(votes)))


def games(votes: QuerySet[Vote]) -> Iterator[Game]:
    """The comparisons of the votes; contestants and voters go by their row numbers."""
    columns = ("outcome", "ticket__voter_id", "ticket__matchup_id", "ticket__matchup__poll__kind")
    rows = votes.values_list(*columns).iterator(PORTION)
    while portion := list(islice(rows, PORTION)):
        seats: dict[int, list[str]] = {}
        shown = Seat.objects.filter(matchup__in=[row[2] for row in portion]).order_by("matchup_id", "position")
        for matchup, contestant in shown.values_list("matchup_id", "sample__contestant_id"):
            seats.setdefault(matchup, []).append(str(contestant))
        for text, voter, matchup, kind in portion:
            outcome = parse_outcome(text, len(seats[matchup]))
            if outcome.counts:
                yield Game(tuple(seats[matchup]), outcome, kind, voter=str(voter))


def runs_of(contestants: tuple[str, ...]) -> list[str]:
    """The run of each contestant."""
    found = Contestant.objects.filter(pk__in=contestants).values_list("pk", "checkpoint__run__name")
    runs = {str(pk): run for pk, run in found}
    return [runs[contestant] for contestant in contestants]
