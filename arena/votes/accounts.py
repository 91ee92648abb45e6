"""Optional accounts: the votes of several browsers as one history. docs/booth.md tells what a volunteer sees.

Every browser keeps a voter of its own; the account joins them. Who signs in adds this browser's votes to the account,
unless they belong to another one.
"""

from collections import defaultdict

from django.contrib.auth.models import User
from django.db import transaction

from arena.polls.models import Seat
from arena.votes.casting import LOG_KEY
from arena.votes.models import Vote, VoteExclusion, VoteLog, Voter
from arena.votes.screening import answers
from arena.votes.screening_rules import VERSION
from arena.votes.voters import voter_of


def join(user: User, voter: Voter | None) -> Voter:
    """The voter that this browser goes on as: its own, now part of the account, or else one of the account's."""
    with transaction.atomic():
        # One browser after the other, so that none of them overlooks the votes of another.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        first = voter_of(user)
        if voter is None or voter.user_id not in (None, user.pk):
            return first or Voter.objects.create(user=user)
        if voter.user_id is None:
            voter.user = user
            voter.settings = voter.settings or (first.settings if first else {})
            voter.save(update_fields=["user", "settings"])
            set_doubles_aside(user)
    return voter


def set_doubles_aside(user: User) -> int:
    """Of the account's counted votes on the same images of a poll the first counts; how many others do not any more."""
    VoteLog.objects.select_for_update(no_key=True).get_or_create(pk=LOG_KEY)
    counted = answers(Vote.objects.filter(ticket__voter__user=user, exclusion=None)).order_by("number")
    votes = list(counted.select_related("ticket"))
    groups: dict[int, set[int]] = defaultdict(set)
    shown = Seat.objects.filter(matchup__tickets__in=counted.order_by().values("ticket")).order_by()
    for matchup, sample in shown.values_list("matchup_id", "sample_id"):
        groups[matchup].add(sample)
    firsts: dict[tuple[int, frozenset[int]], int] = {}
    polls = dict(counted.values_list("number", "ticket__matchup__poll_id"))
    rows = []
    for vote in votes:
        first = firsts.setdefault((polls[vote.number], frozenset(groups[vote.ticket.matchup_id])), vote.number)
        if first != vote.number:
            reason = f"duplicate/{VERSION}: vote {first} of the same account is on the same images"
            rows.append(VoteExclusion(vote=vote, rule=VoteExclusion.Rule.DUPLICATE, reason=reason))
    return len(VoteExclusion.objects.bulk_create(rows))
