"""The served OpenAPI document is valid, complete, and true: every response that it documents is asked for."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from arena.api import views
from arena.api.models import Scope
from arena.api.openapi import GUARDED, OPERATIONS, document
from arena.api.tokens import issue
from arena.evaluations.models import EvaluationRun
from arena.gallery.registering import register
from arena.leaderboard.external import import_votes
from tests.arena.leaderboard.test_comparing import duels

pytestmark = pytest.mark.django_db
DOCUMENT = document("http://testserver")
DOCUMENTED = [
    (method, path, int(status))
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for status in operation["responses"]
]


@dataclass
class World:
    """An arena with something to ask for."""

    client: Client
    log: Any
    folder: Path
    tmp_path: Path
    monkeypatch: pytest.MonkeyPatch
    settings: Any

    def post(self, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        text = body if isinstance(body, str) else json.dumps({} if body is None else body)
        return self.client.post(path, text, content_type=content_type)

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def evaluation(self, state: str = "queued") -> int:
        run, _ = EvaluationRun.objects.get_or_create(contestant=register(self.folder)[0])
        EvaluationRun.objects.filter(pk=run.pk).update(state=state)
        return run.pk

    def broken_folder(self) -> str:
        broken = shutil.copytree(self.folder, self.tmp_path / "broken")
        (broken / "vae" / "config.json").unlink()
        return str(broken)

    def moved_epoch(self) -> str:
        register(self.folder)
        other = shutil.copytree(self.folder, self.tmp_path / "other")
        told = json.loads((other / "checkpoint.json").read_text())
        (other / "checkpoint.json").write_text(json.dumps(told | {"epoch": 9}))
        return str(other)

    def unreadable_vote(self) -> None:
        self.log.vote("duel", "a b", "left")

    def without_database(self) -> None:
        def fails() -> None:
            raise DatabaseError("gone")

        self.monkeypatch.setattr(views, "unfinished", fails)


@pytest.fixture
def world(authorised: Client, log, tiny_folder: Path, tmp_path: Path, monkeypatch, settings, queued) -> World:
    duels(log, "run:1", "run:2", 2, 3)
    return World(authorised, log, tiny_folder, tmp_path, monkeypatch, settings)


HUGE = json.dumps({"path": "x" * 1_100_000})
PAIR = "a=run+epoch+1&b=run+epoch+2"
# How to get each documented response; those of tokens are the same everywhere.
CASES: dict[tuple[str, str, int], Callable[[World], Any]] = {
    ("post", "/api/checkpoints", 201): lambda w: w.post("/api/checkpoints", {"path": str(w.folder)}),
    ("post", "/api/checkpoints", 200): lambda w: [
        w.post("/api/checkpoints", {"path": str(w.folder)}) for _ in range(2)
    ][1],
    ("post", "/api/checkpoints", 400): lambda w: w.post("/api/checkpoints", {"path": "relative"}),
    ("post", "/api/checkpoints", 404): lambda w: w.post("/api/checkpoints", {"path": "/nowhere/at/all"}),
    ("post", "/api/checkpoints", 409): lambda w: w.post("/api/checkpoints", {"path": w.moved_epoch()}),
    ("post", "/api/checkpoints", 413): lambda w: w.post("/api/checkpoints", HUGE),
    ("post", "/api/checkpoints", 415): lambda w: w.post(
        "/api/checkpoints", "path=x", "application/x-www-form-urlencoded"
    ),
    ("post", "/api/checkpoints", 422): lambda w: w.post("/api/checkpoints", {"path": w.broken_folder()}),
    ("post", "/api/runs/{name}/progress", 200): lambda w: w.post("/api/runs/mine/progress", {"epoch": 1}),
    ("post", "/api/runs/{name}/progress", 400): lambda w: w.post("/api/runs/mine/progress", "{"),
    ("post", "/api/runs/{name}/progress", 413): lambda w: w.post("/api/runs/mine/progress", HUGE),
    ("post", "/api/runs/{name}/progress", 415): lambda w: w.post("/api/runs/mine/progress", "x", "text/plain"),
    ("post", "/api/runs/{name}/progress", 422): lambda w: w.post("/api/runs/mine/progress", {"epoch": -1}),
    ("get", "/api/evaluations", 200): lambda w: w.get(f"/api/evaluations?state=queued&n={w.evaluation()}"),
    ("get", "/api/evaluations", 404): lambda w: w.get("/api/evaluations?state=asleep"),
    ("post", "/api/evaluations", 201): lambda w: w.post("/api/evaluations", {"checkpoint": "run epoch 1"}),
    ("post", "/api/evaluations", 200): lambda w: [
        w.post("/api/evaluations", {"checkpoint": "run epoch 1"}) for _ in range(2)
    ][1],
    ("post", "/api/evaluations", 400): lambda w: w.post("/api/evaluations", {}),
    ("post", "/api/evaluations", 404): lambda w: w.post("/api/evaluations", {"checkpoint": "nobody"}),
    ("post", "/api/evaluations", 413): lambda w: w.post("/api/evaluations", HUGE),
    ("post", "/api/evaluations", 415): lambda w: w.post("/api/evaluations", "x", "text/plain"),
    ("get", "/api/evaluations/{run_id}", 200): lambda w: w.get(f"/api/evaluations/{w.evaluation('running')}"),
    ("get", "/api/evaluations/{run_id}", 404): lambda w: w.get("/api/evaluations/999"),
    ("post", "/api/evaluations/{run_id}/cancel", 200): lambda w: w.post(f"/api/evaluations/{w.evaluation()}/cancel"),
    ("post", "/api/evaluations/{run_id}/cancel", 404): lambda w: w.post("/api/evaluations/999/cancel"),
    ("post", "/api/evaluations/{run_id}/cancel", 409): lambda w: w.post(
        f"/api/evaluations/{w.evaluation('done')}/cancel"
    ),
    ("get", "/api/leaderboard", 200): lambda w: w.get("/api/leaderboard?metric=elo"),
    ("get", "/api/leaderboard", 400): lambda w: w.get("/api/leaderboard?as_of=2999-01-01"),
    ("get", "/api/leaderboard", 404): lambda w: w.get("/api/leaderboard?metric=fame"),
    ("get", "/api/leaderboard", 409): lambda w: (w.unreadable_vote(), w.get("/api/leaderboard"))[1],
    ("get", "/api/comparisons", 200): lambda w: w.get(f"/api/comparisons?{PAIR}"),
    ("get", "/api/comparisons", 400): lambda w: w.get("/api/comparisons"),
    ("get", "/api/comparisons", 404): lambda w: w.get("/api/comparisons?a=run+epoch+1&b=nobody"),
    ("get", "/api/comparisons", 409): lambda w: (w.unreadable_vote(), w.get(f"/api/comparisons?{PAIR}"))[1],
    ("get", "/api/votes", 200): lambda w: w.get("/api/votes"),
    ("get", "/api/votes", 404): lambda w: w.get("/api/votes?format=xml"),
    ("get", "/api/votes", 409): lambda w: (w.unreadable_vote(), w.get("/api/votes"))[1],
    ("get", "/api/votes/card", 200): lambda w: w.get("/api/votes/card"),
    ("get", "/api/votes/card", 404): lambda w: w.get("/api/votes/card?poll=quartet"),
    ("get", "/api/openapi.json", 200): lambda w: w.get("/api/openapi.json"),
    ("get", "/api/health", 200): lambda w: w.get("/api/health"),
    ("get", "/api/health", 503): lambda w: (w.without_database(), w.get("/api/health"))[1],
}


def guarded(world: World, method: str, path: str, status: int) -> Any:
    """The response to a wrong token, to one without the scope, to one request too many."""
    address = path.replace("{name}", "mine").replace("{run_id}", "1")
    scope = next(o.scope for o in OPERATIONS if (o.method, o.path) == (method, path))
    others = [one for one in Scope.values if one != scope]
    secret = {401: "arena_wrong", 403: issue("others", others, 1)[1], 429: issue("all", Scope.values, 1)[1]}[status]
    world.settings.ARENA_API_REQUESTS_PER_MINUTE = 1 if status == 429 else 0
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    answers = [getattr(client, method)(address, content_type="application/json") for _ in range(2)]
    return answers[1]


def complain(schema: dict[str, Any], value: Any) -> list[str]:
    whole = schema | {"components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]


def test_the_document_is_valid_openapi_3_1(client: Client) -> None:
    answer = client.get("/api/openapi.json")
    assert answer.json() == json.loads(json.dumps(DOCUMENT))
    OpenAPIV31SpecValidator(answer.json()).validate()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in json.dumps(DOCUMENT), f"nothing uses {name}"


@pytest.mark.parametrize(("method", "path", "status"), DOCUMENTED)
def test_the_real_response_is_the_documented_one(world: World, method: str, path: str, status: int) -> None:
    case = (method, path, status)
    answer = guarded(world, *case) if status in GUARDED else CASES[case](world)
    content = DOCUMENT["paths"][path][method]["responses"][str(status)]["content"]
    assert answer.status_code == status
    assert answer["Content-Type"] in content
    schema = content[answer["Content-Type"]].get("schema")
    if schema is not None:
        assert complain(schema, answer.json()) == []


def test_no_case_is_left_over() -> None:
    assert set(CASES) <= set(DOCUMENTED)


def test_every_address_and_method_is_documented_with_its_scope() -> None:
    routes = {}
    for pattern in get_resolver("arena.api.urls").url_patterns:
        path = "/api/" + str(pattern.pattern).replace("<int:run_id>", "{run_id}").replace("<str:name>", "{name}")
        for method, view in pattern.callback.views.items():
            routes[method.lower(), path] = getattr(view, "scope", None)
    assert routes == {(operation.method, operation.path): operation.scope for operation in OPERATIONS}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_form_of_the_export_is_a_documented_media_type(world: World, form: str) -> None:
    media = DOCUMENT["paths"]["/api/votes"]["get"]["responses"]["200"]["content"]
    assert world.get(f"/api/votes?format={form}")["Content-Type"] in media


def test_boards_of_every_metric_and_from_elsewhere_are_as_documented(world: World) -> None:
    (world.tmp_path / "b.csv").write_text("model_a,model_b,winner\nx,y,model_a\ny,x,model_a\n")
    import_votes(world.tmp_path / "b.csv", "other")
    parameters = DOCUMENT["paths"]["/api/leaderboard"]["get"]["parameters"]
    metrics = next(one["schema"]["enum"] for one in parameters if one["name"] == "metric")
    queries = [f"metric={metric}" for metric in metrics] + ["board=other", "poll=ffa", "slice=tag%3D1girl"]
    for query in queries:
        assert complain({"$ref": "#/components/schemas/Board"}, world.get(f"/api/leaderboard?{query}").json()) == []


def test_states_and_references_of_comparisons_are_as_documented(world: World) -> None:
    world.log.contestant("run:3")
    for query in ("a=run+epoch+1&b=run+epoch+3", "reference=run+epoch+1&candidate=run+epoch+2"):
        told = world.get(f"/api/comparisons?{query}").json()
        assert complain({"$ref": "#/components/schemas/Comparison"}, told) == []


def test_a_schema_refuses_what_is_not_so(world: World) -> None:
    told = world.get("/api/leaderboard").json()
    told["rows"][0]["votes"] = "many"
    del told["head"]["metric"]
    assert len(complain({"$ref": "#/components/schemas/Board"}, told)) == 2
