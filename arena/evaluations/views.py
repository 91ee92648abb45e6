"""The status page."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.evaluations.status import snapshot


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
