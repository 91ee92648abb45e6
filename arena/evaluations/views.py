"""The status page, and one for each evaluation, where staff may stop it."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from arena.evaluations import running
from arena.evaluations.models import EvaluationRun
from arena.evaluations.scores import cards, newest_score
from arena.evaluations.status import describe, snapshot
from arena.evaluations.tasks import enqueue


@require_safe
@never_cache
def status(request: HttpRequest) -> HttpResponse:
    """The whole loop at a glance; without JavaScript the page reloads itself."""
    return render(request, "evaluations/status.html", {"section": "status", "now": snapshot(timezone.now())})


@require_safe
@never_cache
def status_json(request: HttpRequest) -> JsonResponse:
    """The same as JSON."""
    return JsonResponse(snapshot(timezone.now()))


@require_safe
@never_cache
def status_part(request: HttpRequest) -> HttpResponse:
    """The page's changing part alone."""
    return render(request, "evaluations/_loop.html", {"now": snapshot(timezone.now())})


@require_safe
@never_cache
def evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """How far one evaluation is and what it costs; without JavaScript the page reloads itself."""
    return render(request, "evaluations/evaluation.html", {"section": "status", **_context(pk)})


@require_safe
@never_cache
def evaluation_part(request: HttpRequest, pk: int) -> HttpResponse:
    """The page's changing part alone."""
    return render(request, "evaluations/_evaluation.html", _context(pk))


@require_POST
@staff_member_required
def cancel_evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop it; one that has ended stays as it is."""
    running.cancel(get_object_or_404(EvaluationRun, pk=pk))
    return redirect("evaluation", pk=pk)


@require_POST
@staff_member_required
def resume_evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue what is missing, after it was cancelled or has failed."""
    run, queued = running.start(get_object_or_404(EvaluationRun, pk=pk).contestant, resume=True)
    if queued:
        enqueue(run.pk)
    return redirect("evaluation", pk=pk)


def _context(pk: int) -> dict[str, Any]:
    run = get_object_or_404(
        EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora"), pk=pk
    )
    score = newest_score(run.contestant)
    return {
        "evaluation": run,
        "score": score,
        "cards": cards(score) if score else [],
        "told": describe(run),
        "unfinished": run.state in running.UNFINISHED,
        "resumable": run.state in (running.State.CANCELLED, running.State.FAILED, running.State.INCOMPLETE),
    }
