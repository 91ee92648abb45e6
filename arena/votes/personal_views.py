"""The page of a volunteer's own votes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from arena.votes.personal import NEEDED, Personal, personal_ranking, reveal_all
from arena.votes.voters import current_voter


@never_cache
@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """How many votes there are, how many are missing, and then the ranking that they make."""
    voter = current_voter(request)
    personal = personal_ranking(voter) if voter else Personal(0, 0, NEEDED, 0, [])
    return render(request, "votes/me.html", {"section": "me", "personal": personal, "needed": NEEDED})


@never_cache
@require_POST
def reveal_votes(request: HttpRequest) -> HttpResponse:
    """Reveal every vote of this volunteer; harmless when all are revealed already."""
    voter = current_voter(request)
    if voter:
        reveal_all(voter)
    return redirect("/me/")
