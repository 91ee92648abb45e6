"""Taking back a voter: all of its votes leave the boards by rows, those still to come included; and the way back."""

from django.db import transaction
from django.utils import timezone

from arena.votes.casting import LOG_KEY
from arena.votes.models import Vote, VoteExclusion, VoteLog, Voter


def revoke(voter: Voter, reason: str) -> int:
    """Exclude every counted vote of the voter and mark the voter, so that later votes are excluded too; how many rows.

    Votes that are off the boards already keep their row and its reason. Nobody votes meanwhile: the log is locked.
    """
    with transaction.atomic():
        VoteLog.objects.select_for_update(no_key=True).get_or_create(pk=LOG_KEY)
        voter.revoked_at, voter.revoked_reason = timezone.now(), reason[:200]
        voter.save(update_fields=["revoked_at", "revoked_reason"])
        counted = Vote.objects.filter(ticket__voter=voter, exclusion=None)
        rows = [VoteExclusion(vote=vote, rule=VoteExclusion.Rule.REVOKED, reason=reason[:200]) for vote in counted]
        VoteExclusion.objects.bulk_create(rows)
    return len(rows)


def unrevoke(voter: Voter) -> int:
    """Take the rows of the revocation away; how many votes count again."""
    with transaction.atomic():
        VoteLog.objects.select_for_update(no_key=True).get_or_create(pk=LOG_KEY)
        voter.revoked_at, voter.revoked_reason = None, ""
        voter.save(update_fields=["revoked_at", "revoked_reason"])
        rows = VoteExclusion.objects.filter(vote__ticket__voter=voter, rule=VoteExclusion.Rule.REVOKED)
        lifted, _ = rows.delete()
    return lifted
