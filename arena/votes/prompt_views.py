"""Typed prompts: sent, watched, cancelled; ready ones lead to their matchup."""

import random
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from arena.votes import free_prompts
from arena.votes.hygiene import MAX_CHARACTERS, clean
from arena.votes.limits import limit_tickets
from arena.votes.models import FreePrompt, Voter
from arena.votes.pages import find_poll, refuse, refusing
from arena.votes.refusals import PromptRefused, QueueDown, UnknownPrompt
from arena.votes.tasks import render_free_prompt
from arena.votes.voters import current_voter, remember


@never_cache
@require_POST
@refusing
def type_prompt(request: HttpRequest, kind: str) -> HttpResponse:
    """Queue a typed prompt and watch it."""
    poll = find_poll(kind)
    limit_tickets(request, f"/polls/{kind}/")
    typed = request.POST.get("prompt", "")
    try:
        text = clean(typed, poll)
    except PromptRefused as refusal:
        refusal.link = f"/polls/{kind}/"
        takes = free_prompts.accepts(poll)
        return refuse(request, refusal, poll=poll, takes_prompts=takes, max_characters=MAX_CHARACTERS, typed=typed)
    voter = current_voter(request) or Voter.objects.create()
    free = free_prompts.take(poll, voter, text, random.SystemRandom())
    try:
        render_free_prompt.delay_on_commit(free.token)
    except OperationalError as error:
        free_prompts.cancel(free)
        raise QueueDown(_("The queue of the renderer cannot be reached."), f"/polls/{kind}/") from error
    response = HttpResponse(status=303, headers={"Location": f"/prompts/{free.token}/"})
    remember(response, voter)
    return response


@never_cache
@require_safe
@refusing
def watch(request: HttpRequest, token: str) -> HttpResponse:
    """How far the prompt is; once ready, its matchup."""
    free = find_prompt(request, token)
    if free.state == FreePrompt.State.READY:
        return redirect(f"/polls/{free.poll.kind}/")
    return render(request, "votes/prompt.html", {"section": "vote", "free": free, **progress(free)})


@never_cache
@require_safe
@refusing
def state(request: HttpRequest, token: str) -> HttpResponse:
    """The same as JSON, for the page's script."""
    free = find_prompt(request, token)
    return JsonResponse({"state": free.state, **progress(free)})


@never_cache
@require_POST
@refusing
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Stop it; harmless when it is finished already."""
    free_prompts.cancel(find_prompt(request, token))
    return HttpResponse(status=303, headers={"Location": f"/prompts/{token}/"})


def find_prompt(request: HttpRequest, token: str) -> FreePrompt:
    """The voter's own prompt, failed first if its time is spent. Raises UnknownPrompt."""
    free_prompts.expire()
    found = (
        FreePrompt.objects.select_related("poll", "prompt").filter(token=token, voter=current_voter(request)).first()
    )
    if found is None:
        raise UnknownPrompt(_("There is no such prompt of yours."))
    return found


def progress(free: FreePrompt) -> dict[str, Any]:
    """Images rendered and wanted, seconds spent and allowed."""
    return {
        "rendered": free.rendered,
        "total": free.poll.seat_count,
        "seconds": round((timezone.now() - free.created_at).total_seconds()),
        "budget": settings.ARENA_FREE_PROMPT_BUDGET_SECONDS,
    }
