"""Which votes count: counted (no row), unverified or excluded, with rule and reason. docs/screening.md explains.

Rows are written here, by `revoking`, by `moderation` and by hand; votes are never deleted. Only people's votes are
screened: simulated voters vote as fast as they can, on boards of their own.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from arena.polls.models import Poll
from arena.votes.models import Vote, VoteExclusion, Voter
from arena.votes.screening_rules import VERSION, Finding, choices_of, one_sided
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votes import votes_of

Rule, State = VoteExclusion.Rule, VoteExclusion.State
ABOUT_VOTERS = (Rule.ONE_SIDED, Rule.RANDOM, Rule.FAN)
# What an automatic rule left open and may close again.
WAITING = (*ABOUT_VOTERS, Rule.RATE)
EVERY = 10
LOOK_BACK = 60
MINUTE = timedelta(minutes=1)
# More voters than this, and than this share of those screened, found at once: the screening is what is wrong.
MANY_VOTERS, MANY_SHARE = 5, 0.2

logger = logging.getLogger(__name__)


def on_cast(vote: Vote, voter: Voter) -> None:
    """Screen a vote just written, in its transaction. Whatever fails here, the vote counts, and the log says so."""
    try:
        with transaction.atomic():
            screen_new(vote, voter)
    except Exception:
        logger.exception("ALARM: screening failed at vote %s, which counts unscreened", vote.number)


def screen_new(vote: Vote, voter: Voter) -> None:
    """The rules that one vote and its voter's latest ones decide."""
    if voter.revoked_at:
        keep(VoteExclusion(vote=vote, rule=Rule.REVOKED, reason=voter.revoked_reason))
    elif voter.population == Voter.Population.PEOPLE and vote.outcome != "skip":
        latest = latest_votes(vote, voter)
        keep(too_fast(vote) or duplicate(vote, voter) or as_before(vote, latest) or too_many_a_minute(vote, latest))
        unseen = 1 + sum(row.number > voter.last_screened_number for row in latest)
        if unseen >= EVERY:
            look_at_sides(voter, vote.number)


def keep(row: VoteExclusion | None) -> None:
    """Write the row, if there is one."""
    if row:
        row.save()
        logger.info("vote %s is %s: %s", row.vote.number, row.state, row.reason)


def latest_votes(vote: Vote, voter: Voter) -> list[Any]:
    """The voter's latest answers before this one, newest first, with what was made of them."""
    before = answers(Vote.objects.filter(ticket__voter=voter, number__lt=vote.number)).order_by("-number")
    rows = before.values_list("number", "created_at", "exclusion__rule", "exclusion__state", named=True)
    return list(rows[: max(settings.ARENA_SCREEN_VOTES_PER_MINUTE, LOOK_BACK)])


def too_fast(vote: Vote) -> VoteExclusion | None:
    """Nobody sees two images and answers in this time."""
    took = vote.answered_after_ms
    if took is None or took >= settings.ARENA_MIN_ANSWER_MS:
        return None
    reason = f"too-fast/{VERSION}: answered after {took} ms, at least {settings.ARENA_MIN_ANSWER_MS} are needed"
    return VoteExclusion(vote=vote, rule=Rule.TOO_FAST, reason=reason)


def duplicate(vote: Vote, voter: Voter) -> VoteExclusion | None:
    """The same images were answered before from the same account; one voter alone never gets them twice."""
    if voter.user_id is None:
        return None
    earlier = answers(Vote.objects.filter(ticket__voter__user=voter.user_id, number__lt=vote.number))
    earlier = earlier.filter(exclusion=None, ticket__matchup__poll=vote.ticket.matchup.poll_id)
    for sample in vote.ticket.matchup.seats.values_list("sample_id", flat=True):
        earlier = earlier.filter(ticket__matchup__seats__sample=sample)
    first = earlier.first()
    if first is None:
        return None
    reason = f"duplicate/{VERSION}: vote {first.number} of the same account is on the same images"
    return VoteExclusion(vote=vote, rule=Rule.DUPLICATE, reason=reason)


def as_before(vote: Vote, latest: Sequence[Any]) -> VoteExclusion | None:
    """What became of the voter's votes by a rule about the voter becomes of this one too."""
    for row in latest:
        if row.exclusion__rule in ABOUT_VOTERS:
            reason = f"{row.exclusion__rule}/{VERSION}: as vote {row.number} of the same voter"
            return VoteExclusion(vote=vote, rule=row.exclusion__rule, state=row.exclusion__state, reason=reason)
    return None


def too_many_a_minute(vote: Vote, latest: Sequence[Any]) -> VoteExclusion | None:
    """More answers than anybody gives who looks at the images."""
    limit = settings.ARENA_SCREEN_VOTES_PER_MINUTE
    recent = 1 + sum(row.created_at > vote.created_at - MINUTE for row in latest)
    if not limit or recent <= limit:
        return None
    reason = f"rate/{VERSION}: {recent} answers in a minute, {limit} are plausible"
    return VoteExclusion(vote=vote, rule=Rule.RATE, state=State.UNVERIFIED, reason=reason)


def answers(votes: QuerySet[Vote]) -> QuerySet[Vote]:
    """Without skips."""
    return votes.exclude(outcome="skip")


def look_at_sides(voter: Voter, number: int) -> None:
    """Whether the voter always takes the same seat, by its own answers up to that number."""
    Voter.objects.filter(pk=voter.pk).update(last_screened_number=number)
    finding = one_sided(choices_of(votes_of(list(own_games(voter)))))
    if finding is None:
        return
    screened = Voter.objects.filter(population=Voter.Population.PEOPLE, last_screened_number__gt=0).count()
    if too_many(set_aside_voters() | {voter.pk}, screened):
        logger.error("ALARM: %s looks %s, yet too many voters do: nothing was set aside", voter, finding.reason)
        return
    set_aside(voter, finding)


def own_games(voter: Voter) -> Iterable[Game]:
    """A voter's comparisons with the seats in place of contestants, which is all that the sides need."""
    seats = {kind: Poll(kind=kind).seat_count for kind in Poll.Kind.values}
    votes = judged(Vote.objects.filter(ticket__voter=voter)).order_by("number")
    for text, kind in votes.values_list("outcome", "ticket__matchup__poll__kind"):
        outcome = parse_outcome(text, seats[kind])
        if outcome.counts:
            yield Game(tuple("1234"[: seats[kind]]), outcome, kind, voter=str(voter.pk))


def judged(votes: QuerySet[Vote]) -> QuerySet[Vote]:
    """The answers that say something about their voter: not those undone, hasty, doubled, or excluded by a person."""
    return answers(votes).exclude(exclusion__isnull=False, exclusion__rule__in=set(Rule) - set(WAITING))


def set_aside(voter: Voter, finding: Finding) -> int:
    """Give a row to every answer of the voter that counts or is unverified; how many."""
    state = State.EXCLUDED if finding.certain else State.UNVERIFIED
    words = {"rule": Rule(finding.rule), "state": state, "reason": finding.reason[:200]}
    own = answers(Vote.objects.filter(ticket__voter=voter))
    changed = waiting_rows(voter).update(**words)
    rows = [VoteExclusion(vote=vote, **words) for vote in own.filter(exclusion=None)]
    # A voter who takes an answer back at this moment was quicker: that row stays.
    VoteExclusion.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        logger.warning("ALARM: %s votes of %s are %s: %s", len(rows) + changed, voter, state, finding.reason)
    return len(rows) + changed


def lift(voter: Voter) -> int:
    """Count the voter's unverified answers again; how many."""
    lifted, _ = waiting_rows(voter).delete()
    if lifted:
        logger.warning("%s unverified votes of %s count again", lifted, voter)
    return lifted


def waiting_rows(voter: Voter) -> QuerySet[VoteExclusion]:
    """The rows that an automatic rule left open."""
    return VoteExclusion.objects.filter(vote__ticket__voter=voter, state=State.UNVERIFIED, rule__in=WAITING)


def set_aside_voters() -> set[int]:
    """Voters whose votes a rule about voters set aside."""
    rows = VoteExclusion.objects.filter(rule__in=ABOUT_VOTERS)
    return set(rows.values_list("vote__ticket__voter_id", flat=True).distinct())


def too_many(found: set[int], screened: int) -> bool:
    """Whether so many of the screened voters would be set aside that the screening itself must be at fault."""
    return len(found) > max(MANY_VOTERS, MANY_SHARE * screened)
