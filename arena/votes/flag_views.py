"""Flagging an image from the booth."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from arena.votes.casting import cast
from arena.votes.models import Ticket
from arena.votes.moderation import find_seat, flag
from arena.votes.pages import refusing, wants_json
from arena.votes.voters import current_voter


@never_cache
@require_POST
@refusing
def flag_image(request: HttpRequest, key: str) -> HttpResponse:
    """Note the flag; a matchup that waits for its answer is skipped, unless the voter wants to stay."""
    voter = current_voter(request)
    flag(key, voter, request.POST.get("reason", ""))
    matchup = find_seat(key, voter).matchup
    waiting = Ticket.objects.filter(matchup=matchup, voter=voter, vote=None).order_by("-id").first()
    if waiting and not waiting.expired and not request.POST.get("stay"):
        cast(waiting.token, "skip", voter, "unsuitable")
    following = f"/polls/{matchup.poll.kind}/"
    if wants_json(request):
        return JsonResponse({"flagged": True, "next": following})
    return HttpResponse(status=303, headers={"Location": following})
