"""JSON Schemas of what the API sends: of dataclasses out of their own types, of the rest by hand."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from arena.evaluations.models import EvaluationRun
from arena.evaluations.scores import ToldScore
from arena.gallery.models import Run
from arena.leaderboard.comparing import Comparing
from arena.leaderboard.exporting import MEANINGS
from arena.leaderboard.heading import Head
from arena.leaderboard.rows import Row

Schema = dict[str, Any]
PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    object: {},
    Any: {},
}


def schema_of(kind: Any) -> Schema:
    """The schema of what `JsonResponse` makes of a value of this type."""
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return object_of({field.name: schema_of(hints[field.name]) for field in fields(kind) if field.compare})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(one) for one in arguments]}
    if origin in (list, tuple):
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    raise TypeError(f"no schema for {kind!r}")


def object_of(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object with these properties and no others; all are there but the optional ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def listed(item: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": item}


def known(*values: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    return {"anyOf": [schema, PLAIN[NoneType]]}


def ref(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


TEXT, WHOLE, NUMBER, MOMENT = (dict(PLAIN[kind]) for kind in (str, int, float, datetime))
COUNT = {"type": "integer", "minimum": 0}
COUNTS = {"type": "object", "additionalProperties": COUNT}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
EVALUATION = object_of(
    {
        "id": WHOLE,
        "contestant": WHOLE,
        "checkpoint": SHA256,
        "name": TEXT,
        "run": TEXT,
        "epoch": COUNT,
        "url": {"type": "string", "format": "uri"},
        "state": known(*EvaluationRun.State.values),
        "done": COUNT,
        "total": COUNT,
        "percent": {"type": "integer", "minimum": 0, "maximum": 100},
        "error": TEXT,
        "broken": listed(object_of({"prompt": WHOLE, "seed": WHOLE, "problem": TEXT})),
        "gpu_seconds": {"type": "number", "minimum": 0},
        "device": TEXT,
        "seconds_left": maybe(NUMBER),
        "created_at": MOMENT,
        "started_at": maybe(MOMENT),
        "finished_at": maybe(MOMENT),
    }
)
EVALUATED = object_of(EVALUATION["properties"] | {"score": maybe(ref("Score"))})
CONTESTANT = object_of(
    {
        "name": TEXT,
        "checkpoint_sha256": SHA256,
        "recipe_sha256": TEXT,
        "recipe": {"type": "object"},
        "lora": maybe(object_of({"name": TEXT, "sha256": SHA256, "scale": NUMBER})),
        "run": TEXT,
        "epoch": COUNT,
        "step": COUNT,
        "licence": TEXT,
        "imported": PLAIN[bool],
        "attribution": TEXT,
    }
)
CARD = object_of(
    {
        "schema": TEXT,
        "exported_at": MOMENT,
        "population": TEXT,
        "poll": maybe(TEXT),
        "licence": maybe(TEXT),
        "votes": COUNT,
        "outcomes": object_of({name: COUNT for name in ("compared", "bad", "skip")}),
        "polls": COUNTS,
        "voters": COUNT,
        "first": maybe(MOMENT),
        "last": maybe(MOMENT),
        "log_through": COUNT,
        "left_out": COUNTS,
        "columns": object_of(dict.fromkeys(MEANINGS, TEXT)),
        "contestants": listed(ref("Contestant")),
        "prompts": {"type": "object", "additionalProperties": TEXT},
    }
)
PROGRESS_OPTIONS = {
    "state": known(*Run.State.values),
    **{name: COUNT for name in ("epoch", "epochs", "step", "total_steps")},
    **{name: maybe(NUMBER) for name in ("loss", "images_per_s", "images_per_second", "eta_s", "eta_seconds")},
    "preset": {"type": "string", "maxLength": 100},
    "message": {"type": "string", "maxLength": 2000},
}
SCHEMAS: dict[str, Schema] = {
    "Problem": object_of(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT, "request_id": TEXT}, optional=("request_id",)
    ),
    "Registered": object_of(
        {"id": WHOLE, "created": PLAIN[bool], "evaluation": WHOLE, "url": EVALUATION["properties"]["url"]}
    ),
    "Evaluation": EVALUATION,
    "EvaluationWithScore": EVALUATED,
    "Score": schema_of(ToldScore),
    "Evaluations": object_of({"evaluations": listed(ref("Evaluation")), "total": COUNT}),
    "ProgressReport": object_of(PROGRESS_OPTIONS, optional=tuple(PROGRESS_OPTIONS)),
    "Progress": object_of({"run": TEXT, "state": TEXT, "percent": WHOLE}),
    "Head": schema_of(Head),
    "Row": schema_of(Row),
    "Board": object_of({"head": ref("Head"), "rows": listed(ref("Row"))}),
    "Comparison": schema_of(Comparing),
    "Contestant": CONTESTANT,
    "Card": CARD,
    "Health": object_of(
        {"status": known("ok", "failing"), "database": TEXT, "workers": COUNT, "unfinished_evaluations": COUNT},
        optional=("workers", "unfinished_evaluations"),
    ),
}
