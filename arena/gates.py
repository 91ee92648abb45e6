"""A door before what only a worker can do: while none lives, a clear 503 at once rather than a wait for nothing."""

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from arena import errors
from arena.evaluations.models import Worker

# URL names of what a volunteer then waits for.
WAITED_FOR = frozenset({"type-prompt"})

logger = logging.getLogger(__name__)


class WorkerGate:
    """Middleware that asks for a living worker before these views are called."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do before the view is known."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse, or let through."""
        match = request.resolver_match
        if request.method != "POST" or match is None or match.url_name not in WAITED_FOR:
            return None
        if any(worker.alive for worker in Worker.objects.all()):
            return None
        logger.error("refused %s: no worker is alive", request.path)
        return errors.answer(request, errors.NO_QUEUE)
