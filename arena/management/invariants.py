"""What must hold in the stored data, whatever happened. `manage.py audit` checks each; docs/audit.md explains them.

A check yields one sentence for each thing that is wrong, and nothing where all is well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q
from scipy.stats import norm

from arena.gallery.models import Sample
from arena.polls.models import Enrolment, Matchup, Poll, Seat
from arena.polls.pairing import check_conditions
from arena.votes.models import FreePrompt, Ticket, Vote, VoteExclusion, VoteLog, Voter
from generation.errors import RenderError
from generation.matchup import conditions_hash
from rating.errors import OutcomeError
from rating.outcomes import parse_outcome

TRIGGERS = ("votes_vote_append_only", "votes_vote_undeletable")
PORTION = 2000
# Three standard deviations of one comparison, kept for all comparisons together.
SEAT_ALARM = 2 * norm.sf(3)
FEW = 30

Check = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Invariant:
    """A name, what must hold, and how it is checked."""

    name: str
    holds: str
    check: Check


def log_without_gaps() -> Iterator[str]:
    """Numbers run from 1 to the log's length, each once."""
    found = Vote.objects.aggregate(first=Min("number"), last=Max("number"), votes=Count("pk"))
    length = VoteLog.objects.aggregate(length=Max("length"))["length"] or 0
    if found["votes"] and (found["first"], found["last"]) != (1, found["votes"]):
        yield f"{found['votes']} votes are numbered from {found['first']} to {found['last']}"
    if length != (found["last"] or 0):
        yield f"the log says that it has {length} votes, the last one has number {found['last'] or 0}"


def answers_are_votes() -> Iterator[str]:
    """Every vote has a ticket, and every ticket at most one vote."""
    tickets = Ticket.objects.filter(pk=OuterRef("ticket_id"))
    for number in Vote.objects.filter(~Exists(tickets)).values_list("number", flat=True):
        yield f"vote {number} has no ticket"
    answered = Ticket.objects.filter(vote__isnull=False).count()
    votes = Vote.objects.count()
    if answered != votes:
        yield f"{answered} tickets are answered, there are {votes} votes"


def one_vote_counts() -> Iterator[str]:
    """A matchup has at most one vote without an exclusion."""
    counting = Q(tickets__vote__isnull=False, tickets__vote__exclusion=None)
    several = Matchup.objects.annotate(counted=Count("tickets__vote", filter=counting)).filter(counted__gt=1)
    for matchup, counted in several.values_list("pk", "counted"):
        yield f"{counted} votes of matchup {matchup} count"


def outcomes_are_answers() -> Iterator[str]:
    """Every stored outcome can be read for as many seats as its poll has."""
    pairs = Vote.objects.order_by().values_list("outcome", "ticket__matchup__poll__kind").distinct()
    for outcome, kind in pairs:
        try:
            parse_outcome(outcome, Poll(kind=kind).seat_count)
        except OutcomeError as error:
            number = Vote.objects.filter(outcome=outcome, ticket__matchup__poll__kind=kind).first().number
            yield f"vote {number} in {kind} says {outcome!r}: {error}"


def matchups_are_fair() -> Iterator[str]:
    """Every matchup has all seats of its poll, with different contestants on its own prompt and seed."""
    matchups = Matchup.objects.annotate(
        filled=Count("seats", distinct=True),
        last=Max("seats__position"),
        contestants=Count("seats__sample__contestant", distinct=True),
    )
    for matchup, kind, *found in matchups.values_list("pk", "poll__kind", "filled", "last", "contestants"):
        if set(found) != {Poll(kind=kind).seat_count}:
            yield f"matchup {matchup} of {kind} has {found[0]} seats up to {found[1]}, {found[2]} contestants"
    foreign = Seat.objects.exclude(sample__prompt=F("matchup__prompt"), sample__seed=F("matchup__seed"))
    for matchup in foreign.order_by().values_list("matchup_id", flat=True).distinct():
        yield f"matchup {matchup} shows an image of another prompt or seed"


def conditions_are_equal() -> Iterator[str]:
    """All images of a matchup whose conditions are known were rendered under the same ones, by their manifests."""
    uneven = Matchup.objects.annotate(ways=Count("seats__sample__conditions", distinct=True)).filter(ways__gt=1)
    for matchup in uneven.values_list("pk", flat=True):
        yield f"matchup {matchup} shows images of unequal conditions: {_difference(matchup)}"
    shown = Sample.objects.filter(Exists(Seat.objects.filter(sample=OuterRef("pk"))), conditions__isnull=False)
    for sample, conditions, manifest in shown.values_list("pk", "conditions", "manifest").iterator(PORTION):
        if conditions != conditions_hash(manifest):
            yield f"the conditions on record of sample {sample} are not those of its manifest"


def _difference(matchup: int) -> str:
    """The first field in which the images of a matchup differ besides their checkpoints."""
    try:
        check_conditions(list(Sample.objects.filter(seats__matchup=matchup).order_by("seats__position")))
    except RenderError as error:
        return str(error)
    return "their manifests agree, the conditions on record do not"


def seats_are_balanced() -> Iterator[str]:
    """No contestant sits in one seat more, or less, often than shuffling does."""
    for poll in Poll.objects.all():
        counts = seat_counts(poll)
        shown = {contestant: row for contestant, row in counts.items() if sum(row) >= FEW}
        limit = norm.isf(SEAT_ALARM / 2 / max(1, len(shown) * poll.seat_count))
        share = 1 / poll.seat_count
        for contestant, row in shown.items():
            sd = (sum(row) * share * (1 - share)) ** 0.5
            for seat, count in enumerate(row, 1):
                far = (count - sum(row) * share) / sd
                if abs(far) > limit:
                    who = f"contestant {contestant} in {poll.kind}"
                    yield f"{who} sat {count} of {sum(row)} times in seat {seat}: {far:+.1f} sd"


def seat_counts(poll: Poll) -> dict[int, list[int]]:
    """How often each contestant sat in each seat."""
    taken = Seat.objects.filter(matchup__poll=poll, position__lte=poll.seat_count).order_by()
    counts: dict[int, list[int]] = {}
    for contestant, seat, count in taken.values_list("sample__contestant", "position").annotate(count=Count("pk")):
        counts.setdefault(contestant, [0] * poll.seat_count)[seat - 1] = count
    return counts


def appearances_are_seats() -> Iterator[str]:
    """What pairing counts is what was shown."""
    for enrolment in Enrolment.objects.select_related("poll"):
        taken = Seat.objects.filter(matchup__poll=enrolment.poll, sample__contestant=enrolment.contestant_id).count()
        if taken != enrolment.appearances:
            who = f"contestant {enrolment.contestant_id} in {enrolment.poll.kind}"
            yield f"{who} has {enrolment.appearances} appearances on record, and took {taken} seats"


def tickets_stay_with_their_voter() -> Iterator[str]:
    """All tickets of a matchup, and that of a typed prompt, belong to one voter."""
    several = Matchup.objects.annotate(voters=Count("tickets__voter", distinct=True)).filter(voters__gt=1)
    for matchup, voters in several.values_list("pk", "voters"):
        yield f"matchup {matchup} was handed to {voters} voters"
    typed = FreePrompt.objects.filter(ticket__isnull=False).exclude(ticket__voter=F("voter"))
    for prompt in typed.values_list("pk", flat=True):
        yield f"typed prompt {prompt} is shown to another voter"


def revoked_votes_do_not_count() -> Iterator[str]:
    """No vote of a revoked voter counts."""
    counting = Vote.objects.filter(exclusion=None, ticket__voter__revoked_at__isnull=False)
    for voter in counting.order_by().values_list("ticket__voter", flat=True).distinct():
        yield f"votes of voter {voter}, who is revoked, count"
    left = VoteExclusion.objects.filter(rule=VoteExclusion.Rule.REVOKED, vote__ticket__voter__revoked_at=None)
    for voter in left.order_by().values_list("vote__ticket__voter", flat=True).distinct():
        yield f"votes of voter {voter}, who is not revoked, are excluded as revoked"


def populations_are_apart() -> Iterator[str]:
    """A simulated voter has a preference and no account, a person has no preference."""
    simulated = Voter.Population.SIMULATED
    mixed = Voter.objects.filter(
        Q(population=simulated, user__isnull=False) | (~Q(population=simulated) & ~Q(preference=""))
    )
    for voter in mixed.values_list("pk", flat=True):
        yield f"voter {voter} is neither clearly a person nor clearly simulated"


def log_is_guarded() -> Iterator[str]:
    """The database itself refuses to change or delete a vote."""
    questions = {
        "sqlite": "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND name = %s AND tbl_name = 'votes_vote'",
        "postgresql": "SELECT COUNT(*) FROM pg_trigger WHERE tgname = %s AND tgrelid = 'votes_vote'::regclass "
        "AND tgenabled <> 'D'",
    }
    with connection.cursor() as cursor:
        for trigger in TRIGGERS:
            cursor.execute(questions[connection.vendor], [trigger])
            if cursor.fetchone() != (1,):
                yield f"the trigger {trigger} is missing: votes could be changed; run the migrations of votes again"


def images_are_there() -> Iterator[str]:
    """Every image of a seat is in the store."""
    shown = Sample.objects.filter(Exists(Seat.objects.filter(sample=OuterRef("pk"))))
    for sample, name in shown.values_list("pk", "blind").iterator(PORTION):
        if not name or not default_storage.exists(name):
            yield f"the image of sample {sample} ({name or 'no name'}) is not in the store"


STORED = (
    Invariant("log-without-gaps", "votes are numbered 1 to N without a gap", log_without_gaps),
    Invariant("answers-are-votes", "answered tickets and votes, skips included, are the same", answers_are_votes),
    Invariant("one-vote-counts", "at most one vote of a matchup counts", one_vote_counts),
    Invariant("outcomes-are-answers", "every outcome can be read", outcomes_are_answers),
    Invariant("matchups-are-fair", "same prompt, same seed, different contestants, all seats", matchups_are_fair),
    Invariant("conditions-are-equal", "images that meet differ by their checkpoints only", conditions_are_equal),
    Invariant("seats-are-balanced", "every contestant sits everywhere equally often", seats_are_balanced),
    Invariant("appearances-are-seats", "exposure on record is what was shown", appearances_are_seats),
    Invariant("tickets-stay", "nobody answers another voter's ticket", tickets_stay_with_their_voter),
    Invariant("revoked-do-not-count", "no vote of a revoked voter counts", revoked_votes_do_not_count),
    Invariant("populations-apart", "people and simulated voters are not mixed", populations_are_apart),
    Invariant("log-is-guarded", "the database refuses to change or delete a vote", log_is_guarded),
    Invariant("images-are-there", "every image of a seat is in the store", images_are_there),
)
