"""The API's own description, an OpenAPI 3.1 document; a test holds every response to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arena.api.models import Scope
from arena.api.schemas import COUNT, SCHEMAS, Schema, known, object_of, ref
from arena.evaluations.models import EvaluationRun
from arena.leaderboard.comparing import CLUSTERS
from arena.leaderboard.table import METRICS
from arena.polls.models import Poll
from arena.votes.models import Voter
from rating.writing import FORMATS

VERSION = "1.0.0"
PROBLEMS = {
    400: "The request cannot be understood; `detail` says which part.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the scope.",
    404: "There is no such thing; `detail` names the known ones.",
    409: "It contradicts what is stored; `detail` says what.",
    413: "The body is too large.",
    415: "The body is not declared as application/json.",
    422: "What the body says cannot be; `detail` names the field or the file.",
    429: "Too many requests in this minute; see Retry-After.",
}
GUARDED = (401, 403, 429)
BODY = (400, 413, 415)
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
RUN_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Of the run."}
RUN_ID = {"name": "run_id", "in": "path", "required": True, "schema": COUNT, "description": "Number of an evaluation."}


@dataclass(frozen=True)
class Operation:
    """One method of one address. `answers` gives the schema by status, `refusals` the statuses of problems.

    `scope` None needs no token. `queries` are (name, schema, description).
    """

    path: str
    method: str
    name: str
    summary: str
    scope: Scope | None
    answers: dict[int, str]
    refusals: tuple[int, ...] = ()
    queries: Sequence[tuple[str, Schema, str]] = ()
    path_parameters: Sequence[dict[str, Any]] = ()
    body: Schema | None = None
    media: Sequence[str] = ("application/json",)


TEXT = {"type": "string"}
VOTES = (
    ("poll", known(*Poll.Kind.values), "All polls together without it."),
    ("population", known(*Voter.Population.values), "people without it."),
)
BOARD = (
    *VOTES,
    ("slice", TEXT, "Such as character=NAME, tag=TAG, content_rating=general, resolution=64x64."),
    ("as_of", {"type": "string"}, "An ISO moment, in UTC where it names no zone: the votes cast until then."),
)
OPERATIONS = (
    Operation(
        "/api/checkpoints", "post", "registerCheckpoint", "Register a checkpoint folder and start its evaluation.",
        Scope.CHECKPOINTS, {200: "Registered", 201: "Registered"}, (*BODY, 404, 409, 422),
        body={
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "An absolute path on the arena's machine."},
                "lora": {"type": "string", "description": "Of a LoRA file, to be added to the checkpoint."},
                "lora_scale": {"type": "number", "minimum": -10, "maximum": 10, "default": 1},
            },
            "required": ["path"],
        },
    ),
    Operation(
        "/api/runs/{name}/progress", "post", "reportProgress", "Keep what a training run says of itself.",
        Scope.CHECKPOINTS, {200: "Progress"}, (*BODY, 422), body=ref("ProgressReport"),
        path_parameters=[RUN_NAME],
    ),
    Operation(
        "/api/evaluations", "get", "listEvaluations", "The newest 100 evaluations.", Scope.READ,
        {200: "Evaluations"}, (404,), queries=[("state", known(*EvaluationRun.State.values), "Only these.")],
    ),
    Operation(
        "/api/evaluations", "post", "startEvaluation", "Evaluate a registered checkpoint, or go on with it.",
        Scope.EVALUATIONS, {200: "Evaluation", 201: "Evaluation"}, (*BODY, 404),
        body=object_of({"checkpoint": {"type": "string", "description": "Name, or beginning of the hash."}}),
    ),
    Operation(
        "/api/evaluations/{run_id}", "get", "getEvaluation", "How far an evaluation is, its cost and its newest score.",
        Scope.READ, {200: "EvaluationWithScore"}, (404,), path_parameters=[RUN_ID],
    ),
    Operation(
        "/api/evaluations/{run_id}/cancel", "post", "cancelEvaluation", "Stop an evaluation.",
        Scope.EVALUATIONS, {200: "Evaluation"}, (404, 409), path_parameters=[RUN_ID],
    ),
    Operation(
        "/api/leaderboard", "get", "getBoard", "A board.", Scope.READ, {200: "Board"}, (400, 404, 409),
        queries=[
            ("metric", known(*METRICS), "trueskill without it."), *BOARD,
            ("board", TEXT, "An external board; only metric and poll go with it, and poll is one of its own."),
        ],
    ),
    Operation(
        "/api/comparisons", "get", "compare", "Is B better than A? Or which of several is, corrected for the choice.",
        Scope.READ, {200: "Comparison"}, (400, 404, 409),
        queries=[
            ("a", TEXT, "A checkpoint, by name or beginning of the hash."), ("b", TEXT, "Another one."),
            ("reference", TEXT, "Instead of a and b: what candidates are compared with."),
            ("candidate", {"type": "array", "items": TEXT}, "May be given several times."),
            ("run", TEXT, "Every epoch of this run is a candidate."), *BOARD,
            ("cluster", known(*CLUSTERS), "Votes that belong together; voter without it."),
            ("level", {"type": "number", "minimum": 0.5, "maximum": 0.9999}, "Of the intervals; 0.95 without it."),
        ],
    ),
    Operation(
        "/api/votes", "get", "exportVotes", "The votes that boards count, as a file.", Scope.VOTES, {200: ""},
        (404, 409), queries=[("format", known(*FORMATS), "csv without it."), *VOTES],
        media=list(CONTENT_TYPES.values()),
    ),
    Operation(
        "/api/votes/card", "get", "getDataCard", "What such a file holds.", Scope.VOTES, {200: "Card"}, (404,),
        queries=VOTES,
    ),
    Operation("/api/openapi.json", "get", "describe", "This document.", None, {200: ""}),
    Operation(
        "/api/health", "get", "getHealth", "Whether database and workers answer.", None,
        {200: "Health", 503: "Health"},
    ),
)  # fmt: skip


def document(url: str) -> dict[str, Any]:
    """The description of the API at this address."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Illustration Arena",
            "version": VERSION,
            "description": "Checkpoints in, boards and votes out. docs/api.md describes it in words.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `manage.py api_token create`."}
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    queries = [
        {"name": name, "in": "query", "schema": schema, "description": text} for name, schema, text in operation.queries
    ]
    refusals = (*operation.refusals, *(GUARDED if operation.scope else ()))
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*operation.path_parameters, *queries],
        "responses": {
            **{str(status): _answer(operation, status) for status in operation.answers},
            **{str(status): _problem(status) for status in sorted(refusals)},
        },
        "security": [{"token": [operation.scope.value]}] if operation.scope else [],
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    return described


def _answer(operation: Operation, status: int) -> dict[str, Any]:
    name = operation.answers[status]
    schema = {"schema": ref(name)} if name else {}
    meanings = {200: "Done.", 201: "Made just now.", 503: "The database does not answer."}
    return {"description": meanings[status], "content": dict.fromkeys(operation.media, schema)}


def _problem(status: int) -> dict[str, Any]:
    return {"description": PROBLEMS[status], "content": {"application/problem+json": {"schema": ref("Problem")}}}
