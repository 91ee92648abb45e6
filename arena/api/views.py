"""JSON for training runs and researchers (docs/api.md)."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from arena.api import progress
from arena.api.models import Scope
from arena.api.openapi import document
from arena.api.requests import ProblemError, json_object, needs
from arena.evaluations.lease import unfinished
from arena.evaluations.models import EvaluationRun, Worker
from arena.evaluations.running import cancel, start
from arena.evaluations.scores import told_score
from arena.evaluations.tasks import enqueue
from arena.gallery.finding import UnknownCheckpointError, find_contestant, listed
from arena.gallery.models import ImportedError
from arena.gallery.registering import ConflictError, register
from generation.checkpoint import CheckpointError
from generation.lora_file import LoraRef

LISTED = 100


@needs(Scope.CHECKPOINTS)
def register_checkpoint(request: HttpRequest) -> JsonResponse:
    """Register a checkpoint folder of this machine, perhaps with a LoRA, and start its evaluation: 201 for a new
    contestant, 200 for a known one."""
    body = json_object(request)
    folder, lora = _folder(body.get("path")), _lora(body)
    try:
        contestant, created = register(folder, lora)
    except CheckpointError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    run, queued = start(contestant)
    if queued:
        enqueue(run.pk)
    page = reverse("checkpoint", args=[contestant.checkpoint.sha256[:12]])
    answer = {
        "id": contestant.pk,
        "created": created,
        "evaluation": run.pk,
        "url": request.build_absolute_uri(page),
    }
    return JsonResponse(answer, status=HTTPStatus.CREATED if created else HTTPStatus.OK)


def _folder(value: Any) -> Path:
    path = _path("path", value, "a checkpoint folder")
    if not path.is_dir():
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no folder {path} on this machine")
    return path


def _lora(body: Mapping[str, Any]) -> LoraRef | None:
    if "lora" not in body:
        return None
    path, scale = _path("lora", body["lora"], "a LoRA file"), body.get("lora_scale", 1.0)
    if not path.is_file():
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no file {path} on this machine")
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"'lora_scale' must be a number, got {scale!r}")
    try:
        return LoraRef(path, float(scale))
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error


def _path(name: str, value: Any, what: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name!r} must be the path of {what} on this machine")
    if not Path(value).is_absolute():
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{value!r} is not an absolute path")
    return Path(value)


@needs(Scope.CHECKPOINTS)
def run_progress(request: HttpRequest, name: str) -> JsonResponse:
    """Keep what a training run says of itself."""
    try:
        run = progress.keep(name, json_object(request))
    except ValueError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return JsonResponse({"run": run.name, "state": run.state, "percent": run.percent})


@needs(Scope.READ)
def evaluations(request: HttpRequest) -> JsonResponse:
    """The newest evaluations, of one state if `?state=` names it."""
    runs = EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora").order_by("-pk")
    state = request.GET.get("state")
    if state is not None and state not in EvaluationRun.State.values:
        known = ", ".join(EvaluationRun.State.values)
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no state {state!r}; known: {known}")
    runs = runs.filter(state=state) if state else runs
    return JsonResponse({"evaluations": [_evaluation(request, run) for run in runs[:LISTED]], "total": runs.count()})


@needs(Scope.EVALUATIONS)
def start_evaluation(request: HttpRequest) -> JsonResponse:
    """Evaluate a registered checkpoint, or go on with it: 201 where that queued work, 200 where there is none left."""
    name = json_object(request).get("checkpoint")
    if not isinstance(name, str) or not name:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "'checkpoint' must be the name of a checkpoint or the beginning of its hash"
        )
    try:
        run, queued = start(find_contestant(name), resume=True)
    except UnknownCheckpointError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except ImportedError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    if queued:
        enqueue(run.pk)
    return JsonResponse(_evaluation(request, run), status=HTTPStatus.CREATED if queued else HTTPStatus.OK)


@needs(Scope.READ)
def evaluation(request: HttpRequest, run_id: int) -> JsonResponse:
    """How far an evaluation is, what it has cost, and the newest score of its contestant."""
    run = _run(run_id)
    return JsonResponse(_evaluation(request, run) | {"score": told_score(run.contestant)})


@needs(Scope.EVALUATIONS)
def cancel_evaluation(request: HttpRequest, run_id: int) -> JsonResponse:
    """Stop an evaluation; cancelling twice is the same as once. 409 for one that has ended otherwise."""
    run = _run(run_id)
    if not cancel(run) and run.state != EvaluationRun.State.CANCELLED:
        raise ProblemError(HTTPStatus.CONFLICT, f"evaluation {run_id} is {run.state}: there is nothing to cancel")
    return JsonResponse(_evaluation(request, run))


def _run(run_id: int) -> EvaluationRun:
    run = (
        EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora")
        .filter(pk=run_id)
        .first()
    )
    if run is None:
        newest = listed(str(pk) for pk in EvaluationRun.objects.order_by("-pk").values_list("pk", flat=True))
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no evaluation {run_id}; known, newest first: {newest}")
    return run


def _evaluation(request: HttpRequest, run: EvaluationRun) -> dict[str, Any]:
    checkpoint = run.contestant.checkpoint
    fields = ("state", "done", "total", "percent", "error", "broken", "gpu_seconds", "device", "seconds_left")
    moments = ("created_at", "started_at", "finished_at")
    return {
        "id": run.pk,
        "contestant": run.contestant_id,
        "checkpoint": checkpoint.sha256,
        "name": str(run.contestant),
        "run": checkpoint.run.name,
        "epoch": checkpoint.epoch,
        "url": request.build_absolute_uri(reverse("evaluation", args=[run.pk])),
        **{name: getattr(run, name) for name in (*fields, *moments)},
    }


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


def openapi(request: HttpRequest) -> JsonResponse:
    """What this API is, for programs (OpenAPI 3.1)."""
    return JsonResponse(document(request.build_absolute_uri("/").rstrip("/")))
