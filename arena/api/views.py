"""JSON for training runs and researchers (docs/api.md)."""

from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from arena.api import progress
from arena.api.requests import ProblemError, endpoint, json_object
from arena.evaluations.models import EvaluationRun, Worker
from arena.evaluations.running import start, unfinished
from arena.evaluations.tasks import enqueue
from arena.gallery.registering import ConflictError, register
from arena.leaderboard.table import UnknownBoardError, board
from generation.checkpoint import CheckpointError


@endpoint("POST")
def checkpoints(request: HttpRequest) -> JsonResponse:
    """Register a checkpoint folder of this machine and start its evaluation: 201 for a new one, 200 for a known."""
    folder = _folder(json_object(request).get("path"))
    try:
        contestant, created = register(folder)
    except CheckpointError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    run, queued = start(contestant)
    if queued:
        enqueue(run.pk)
    page = reverse("checkpoint", args=[contestant.checkpoint.sha256[:12]])
    body = {
        "id": contestant.pk,
        "created": created,
        "evaluation": run.pk,
        "url": request.build_absolute_uri(page),
    }
    return JsonResponse(body, status=HTTPStatus.CREATED if created else HTTPStatus.OK)


def _folder(path: Any) -> Path:
    if not isinstance(path, str) or not path or "\0" in path:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "'path' must be the path of a checkpoint folder on this machine")
    if not Path(path).is_absolute():
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{path!r} is not an absolute path")
    if not Path(path).is_dir():
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no folder {path} on this machine")
    return Path(path)


@endpoint("POST")
def run_progress(request: HttpRequest, name: str) -> JsonResponse:
    """Keep what a training run says of itself."""
    try:
        run = progress.keep(name, json_object(request))
    except ValueError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return JsonResponse({"run": run.name, "state": run.state, "percent": run.percent})


@endpoint("GET")
def leaderboard(request: HttpRequest) -> JsonResponse:
    """A board: the same rows as its page and `manage.py leaderboard`."""
    asked = request.GET
    try:
        found = board(asked.get("metric", "trueskill"), asked.get("poll") or None, asked.get("population", "people"))
    except UnknownBoardError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error
    return JsonResponse({"head": asdict(found.head), "rows": [asdict(row) for row in found.rows]})


@endpoint("GET")
def evaluation(request: HttpRequest, run_id: int) -> JsonResponse:
    """How far an evaluation is."""
    run = EvaluationRun.objects.select_related("contestant__checkpoint").filter(pk=run_id).first()
    if run is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no evaluation {run_id}")
    fields = ("state", "done", "total", "percent", "error", "created_at", "started_at", "finished_at")
    body = {"id": run.pk, "contestant": run.contestant_id, "checkpoint": run.contestant.checkpoint.sha256}
    return JsonResponse(body | {name: getattr(run, name) for name in fields})


@endpoint("GET", token=False)
def health(request: HttpRequest) -> JsonResponse:
    """Whether the database answers and a worker lives; 503 without a database."""
    try:
        waiting = unfinished().count()
        workers = sum(worker.alive for worker in Worker.objects.all())
    except DatabaseError as error:
        connection.close()
        body = {
            "status": "failing",
            "database": f"{type(error).__name__}: run `manage.py migrate` or check DATABASE_URL",
        }
        return JsonResponse(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return JsonResponse({"status": "ok", "database": "ok", "workers": workers, "unfinished_evaluations": waiting})
