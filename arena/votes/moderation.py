"""Flags: what a volunteer finds wrong with an image, and what an admin makes of it. docs/moderation.md explains.

Which samples are hidden is asked by `polls.pairing.hidden_cells`; here flags are raised and decided.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from arena.polls.models import Seat
from arena.votes.models import ImageFlag, Vote, VoteExclusion, VoteLog, Voter
from arena.votes.refusals import Refusal, TooMany

REASONS = {
    "not-general": gettext_lazy("not for everybody"),
    "not-an-image": gettext_lazy("not an image"),
    "offensive": gettext_lazy("offensive"),
    "other": gettext_lazy("something else"),
}
DAY = timedelta(days=1)
LOG_KEY = 1

logger = logging.getLogger(__name__)


class UnknownImage(Refusal):
    """No seat has that image."""

    status = 404
    remedy = gettext_lazy("Flag an image on the page that shows it.")


class ForeignImage(Refusal):
    """The image was shown to somebody else."""

    status = 403
    remedy = gettext_lazy("Flag images in the browser that showed them, with its cookie kept.")


class WrongFlag(Refusal):
    """The reason is not on the list."""

    remedy = gettext_lazy("Go back and choose one of the reasons.")


def flag(image_key: str, voter: Voter | None, reason: str) -> ImageFlag:
    """Note the objection of the voter who was shown this image; a second one by the same voter changes nothing.

    Raises UnknownImage, ForeignImage, WrongFlag, TooMany.
    """
    seat = find_seat(image_key, voter)
    if reason not in REASONS:
        raise WrongFlag(gettext("That reason for flagging is not on the list."))
    with transaction.atomic():
        Voter.objects.select_for_update(no_key=True).get(pk=voter.pk)
        earlier = ImageFlag.objects.filter(voter=voter, sample=seat.sample_id).first()
        if earlier:
            return earlier
        check_daily_limit(voter)
        raised = ImageFlag.objects.create(voter=voter, sample=seat.sample, reason=reason)
    logger.warning("sample %s was flagged as %s by %s", seat.sample_id, reason, voter)
    return raised


def find_seat(image_key: str, voter: Voter | None) -> Seat:
    """The seat of that image, if it was shown to this voter. Raises UnknownImage or ForeignImage."""
    seat = Seat.objects.filter(image_key=image_key).select_related("matchup__poll", "sample").first()
    if seat is None:
        raise UnknownImage(gettext("There is no such image."))
    if voter is None or not voter.tickets.filter(matchup=seat.matchup_id).exists():
        raise ForeignImage(gettext("This image was shown to another voter."))
    return seat


def check_daily_limit(voter: Voter) -> None:
    """Raises TooMany for more flags in 24 hours than anybody needs: each one hides an image from everybody."""
    most, now = settings.ARENA_FLAGS_A_DAY, timezone.now()
    recent = list(voter.image_flags.filter(created_at__gt=now - DAY).order_by("created_at"))
    if len(recent) >= most:
        wait = DAY if not recent else recent[0].created_at + DAY - now
        text = gettext("You have flagged %(most)d images in 24 hours.") % {"most": most}
        raise TooMany(text, "/", max(1, round(wait.total_seconds())))


def decide(flags: Iterable[ImageFlag], decision: ImageFlag.Decision) -> int:
    """An admin's word on the samples of these flags: it settles every flag of theirs; how many."""
    samples = {raised.sample_id for raised in flags}
    settled = ImageFlag.objects.filter(sample__in=samples)
    return settled.update(decision=decision, decided_at=timezone.now())


def exclude_votes(flags: Iterable[ImageFlag]) -> int:
    """Take the counted votes on matchups with these samples off the boards; how many."""
    with transaction.atomic():
        VoteLog.objects.select_for_update(no_key=True).get_or_create(pk=LOG_KEY)
        rows = []
        for sample in {raised.sample_id for raised in flags}:
            votes = Vote.objects.filter(ticket__matchup__seats__sample=sample, exclusion=None)
            reason = f"flagged: sample {sample} was found unsuitable"
            made = [VoteExclusion(vote=vote, rule=VoteExclusion.Rule.FLAGGED, reason=reason) for vote in votes]
            rows += VoteExclusion.objects.bulk_create(made)
    return len(rows)


def include_votes(flags: Iterable[ImageFlag]) -> int:
    """Take those rows away again; how many."""
    samples = {raised.sample_id for raised in flags}
    rows = VoteExclusion.objects.filter(rule=VoteExclusion.Rule.FLAGGED)
    lifted, _ = rows.filter(vote__ticket__matchup__seats__sample__in=samples).delete()
    return lifted
