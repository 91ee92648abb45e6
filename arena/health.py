"""The health of the site for load balancers and monitors: what answers, what does not, and no secrets."""

import logging
import uuid
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.evaluations.lease import unfinished
from arena.evaluations.models import EvaluationRun, Worker
from arena.votes.free_prompts import UNFINISHED
from arena.votes.models import FreePrompt, Vote

OK = "ok"

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while people can vote, 503 while they cannot; with `?require=all` also 503 while a part is missing."""
    database, cache_state = _database(), _cache()
    queue = _queue() if database == OK else None
    whole = cache_state == OK and queue is not None and queue["workers"] > 0 and not queue["late"]
    state = "failing" if database != OK else OK if whole else "degraded"
    refused = state == "failing" or (state != OK and request.GET.get("require") == "all")
    body = {"status": state, "database": database, "cache": cache_state, "queue": queue}
    return JsonResponse(body, status=HTTPStatus.SERVICE_UNAVAILABLE if refused else HTTPStatus.OK)


def _database() -> str:
    """Whether the tables can be read; the error itself goes to the log only."""
    try:
        Vote.objects.exists()
        FreePrompt.objects.exists()
        EvaluationRun.objects.exists()
        return OK
    except DatabaseError as error:
        logger.error("health: the database does not answer: %s", error)
        connection.close()
        return "does not answer, or wants `manage.py migrate`"


def _cache() -> str:
    key = f"healthz-{uuid.uuid4().hex}"
    try:
        cache.set(key, "here", 5)
        found = cache.get(key)
        cache.delete(key)
    except Exception as error:  # each cache has exceptions of its own
        logger.error("health: the cache does not answer: %s", error)
        found = None
    return OK if found == "here" else "does not answer"


def _queue() -> dict[str, Any]:
    """Workers that live, work that waits, and since when; late is a volunteer's prompt past its time."""
    now = timezone.now()
    prompts = FreePrompt.objects.filter(state__in=UNFINISHED).order_by("created_at")
    oldest_prompt = prompts.values_list("created_at", flat=True).first()
    oldest_run = unfinished().order_by("created_at").values_list("created_at", flat=True).first()
    prompt_seconds = round((now - oldest_prompt).total_seconds()) if oldest_prompt else 0
    return {
        "workers": sum(worker.alive for worker in Worker.objects.all()),
        "unfinished_prompts": prompts.count(),
        "oldest_prompt_seconds": prompt_seconds,
        "unfinished_evaluations": unfinished().count(),
        "oldest_evaluation_seconds": round((now - oldest_run).total_seconds()) if oldest_run else 0,
        "late": prompt_seconds > settings.ARENA_FREE_PROMPT_BUDGET_SECONDS,
    }
