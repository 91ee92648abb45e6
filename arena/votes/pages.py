"""What the pages of the booth have in common: finding a poll, the voter's progress, refusals as pages or JSON."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from arena.middleware import CURRENT
from arena.polls.models import Poll
from arena.votes.models import Vote, VoteExclusion, Voter
from arena.votes.refusals import Refusal, TooMany, UnknownPoll
from arena.votes.voters import own_by

View = Callable[..., HttpResponse]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a voter is towards the poll's goal; skips and answers taken back do not count."""

    done: int
    goal: int

    @property
    def reached(self) -> bool:
        """Whether this is a place to stop."""
        return self.done >= self.goal

    @property
    def stage_done(self) -> int:
        """What the bar shows: never more than the goal."""
        return min(self.done, self.goal)


def progress_of(poll: Poll, voter: Voter | None) -> Progress:
    """Votes of this voter, on all browsers of the account, in this poll so far."""
    if voter is None:
        return Progress(0, poll.goal)
    return Progress(answers_in(poll).filter(**own_by(voter, "ticket__voter")).count(), poll.goal)


def answers_in(poll: Poll) -> QuerySet[Vote]:
    """The votes in this poll but for skips and those taken back."""
    votes = Vote.objects.filter(ticket__matchup__poll=poll).exclude(outcome="skip")
    return votes.exclude(exclusion__rule=VoteExclusion.Rule.UNDONE)


def find_poll(kind: str) -> Poll:
    """The poll of that kind. Raises UnknownPoll naming those that exist."""
    poll = Poll.objects.filter(kind=kind).first()
    if poll is None:
        known = ", ".join(Poll.objects.values_list("kind", flat=True)) or _("none yet")
        names = {"kind": kind, "known": known}
        raise UnknownPoll(_("There is no poll “%(kind)s”; there are: %(known)s.") % names)
    return poll


def wants_json(request: HttpRequest) -> bool:
    """Whether the client asks for JSON rather than a page."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def refusing(view: View) -> View:
    """Answer a Refusal raised by the view with its status, what is wrong, and the remedy."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return refuse(request, refusal)

    return answer


def refuse(request: HttpRequest, refusal: Refusal, **more: Any) -> HttpResponse:
    """The page, or the JSON, of a refusal; and a line in the log. The page's template gets `more`."""
    logger.warning("refused %s %s: %s: %s", request.method, request.path, type(refusal).__name__, refusal)
    response: HttpResponse
    if wants_json(request):
        body = {"status": refusal.status, "title": str(refusal), "detail": f"{refusal} {refusal.remedy}"}
        body |= {"error": str(refusal), "remedy": str(refusal.remedy), "request_id": CURRENT.get()}
        response = JsonResponse(body, status=refusal.status, content_type="application/problem+json")
    else:
        context = {"refusal": refusal, "section": "vote", **more}
        response = render(request, "votes/refusal.html", context, status=refusal.status)
    if isinstance(refusal, TooMany):
        response["Retry-After"] = str(refusal.seconds)
    return response
