"""The JSON that training runs and researchers speak."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from arena.evaluations.models import EvaluationRun, Worker
from arena.evaluations.seeding import seed
from arena.evaluations.tasks import advance_evaluation
from arena.gallery.models import Checkpoint, Contestant, Run
from generation.tiny import write_tiny_checkpoint
from training.hooks import Progress

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The evaluations that a message was sent for, at the door of the broker."""
    sent: list[int] = []
    monkeypatch.setattr(advance_evaluation, "delay", sent.append)
    return sent


@pytest.fixture
def authorised(client: Client, settings) -> Client:
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {settings.ARENA_API_TOKEN}"
    return client


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body if isinstance(body, str) else json.dumps(body), content_type="application/json")


def test_registering_starts_one_evaluation(
    authorised: Client, tiny_folder: Path, queued: list[int], django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = post(authorised, "/api/checkpoints", {"path": str(tiny_folder)})
        again = post(authorised, "/api/checkpoints", {"path": str(tiny_folder), "checkpoint": {"ignored": True}})
    assert (first.status_code, again.status_code) == (201, 200)
    run = EvaluationRun.objects.get()
    sha12 = Checkpoint.objects.get().sha256[:12]
    assert first.json() == {
        "id": Contestant.objects.get().pk,
        "created": True,
        "evaluation": run.pk,
        "url": f"http://testserver/checkpoints/{sha12}/",
    }
    assert again.json() == first.json() | {"created": False}
    assert queued == [run.pk]


def test_message_is_sent_only_after_the_commit(
    authorised: Client, tiny_folder: Path, queued: list[int], django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        post(authorised, "/api/checkpoints", {"path": str(tiny_folder)})
    assert (len(callbacks), queued) == (1, [])


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({}, 400, "'path' must be"),
        ({"path": 7}, 400, "'path' must be"),
        ({"path": "relative"}, 400, "not an absolute path"),
        ({"path": "/nowhere/at/all"}, 404, "there is no folder /nowhere/at/all"),
        ("[]", 400, "must be a JSON object"),
        ("{", 400, "not JSON"),
    ],
)
def test_bad_requests_are_named(authorised: Client, body: Any, status: int, detail: str) -> None:
    answer = post(authorised, "/api/checkpoints", body)
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert detail in answer.json()["detail"]
    assert not Run.objects.exists()


def test_incomplete_folder_is_422_and_names_the_file(authorised: Client, tiny_folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    (broken / "vae" / "config.json").unlink()
    answer = post(authorised, "/api/checkpoints", {"path": str(broken)})
    assert answer.status_code == 422
    assert "vae/config.json" in answer.json()["detail"]
    assert not EvaluationRun.objects.exists()


def test_other_weights_at_the_same_epoch_are_409(
    authorised: Client, tiny_folder: Path, tmp_path: Path, queued: list[int]
) -> None:
    post(authorised, "/api/checkpoints", {"path": str(tiny_folder)})
    write_tiny_checkpoint(tmp_path / "rival", seed=2, epoch=1)
    answer = post(authorised, "/api/checkpoints", {"path": str(tmp_path / "rival")})
    assert answer.status_code == 409
    assert "give the new run another name" in answer.json()["detail"]


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic token-of-the-tests", "Bearer tökén"])
@pytest.mark.parametrize("path", ["/api/checkpoints", "/api/runs/x/progress"])
def test_without_the_token_nothing_is_written(client: Client, tiny_folder: Path, path: str, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = client.post(path, {"path": str(tiny_folder)}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "ARENA_API_TOKEN" in answer.json()["detail"]
    assert not Run.objects.exists()


def test_reading_needs_the_token_too(client: Client) -> None:
    assert client.get("/api/leaderboard").status_code == 401
    assert client.get("/api/evaluations/1").status_code == 401
    assert client.get("/api/health").status_code == 200


def test_a_forged_form_cannot_post(settings, tiny_folder: Path) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {settings.ARENA_API_TOKEN}"})
    assert client.post("/api/checkpoints", {"path": str(tiny_folder)}).status_code == 415
    assert post(client, "/api/runs/fine/progress", {"state": "training"}).status_code == 200, "no cookie, no CSRF token"


def test_huge_body_and_wrong_method_are_refused(authorised: Client) -> None:
    assert post(authorised, "/api/checkpoints", {"path": "x" * 1_100_000}).status_code == 413
    assert authorised.get("/api/checkpoints").status_code == 405


def test_the_trainers_report_is_kept(authorised: Client) -> None:
    report = Progress("named", "training", 1, 4, 30, 2000, loss=0.2, images_per_s=7.5, eta_s=300.0, message="")
    answer = post(authorised, "/api/runs/named-1a2b3c4d/progress", vars(report))
    assert answer.json() == {"run": "named-1a2b3c4d", "state": "training", "percent": 2}
    run = Run.objects.get()
    assert (run.preset, run.epoch, run.loss, run.images_per_second, run.eta_seconds) == ("named", 1, 0.2, 7.5, 300.0)
    post(authorised, "/api/runs/named-1a2b3c4d/progress", {"state": "done", "eta_s": None})
    run.refresh_from_db()
    assert (run.state, run.epoch, run.loss, run.eta_seconds) == ("done", 1, 0.2, None)


@pytest.mark.parametrize(
    ("name", "report", "detail"),
    [
        ("ok", {"state": "flying"}, "'state' must be one of"),
        ("ok", {"epoch": -1}, "'epoch' must be a whole number"),
        ("ok", {"step": True}, "'step' must be a whole number"),
        ("ok", {"step": 2**31}, "'step' must be a whole number"),
        ("ok", {"preset": "p" * 101}, "'preset' must be text"),
        ("ok", {"speed": 1}, "'speed' is unknown"),
        ("ok", {"loss": "low"}, "'loss' must be a finite number"),
        ("a b", {"state": "done"}, "a run's name has"),
        ("<b>", {"state": "done"}, "a run's name has"),
    ],
)
def test_wrong_report_is_422(authorised: Client, name: str, report: Any, detail: str) -> None:
    answer = post(authorised, f"/api/runs/{name}/progress", report)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert not Run.objects.exists()


def test_a_loss_that_is_not_a_number_is_refused(authorised: Client) -> None:
    assert post(authorised, "/api/runs/ok/progress", '{"loss": NaN}').status_code == 422


def test_board_without_votes_says_so(authorised: Client) -> None:
    seed(None)
    answer = authorised.get("/api/leaderboard?metric=elo&poll=duel&population=simulated&format=json")
    assert answer.json()["rows"] == []
    head = answer.json()["head"]
    assert (head["metric"], head["poll"], head["population"], head["state"]) == ("elo", "duel", "simulated", "no-votes")


@pytest.mark.parametrize("query", ["metric=fame", "poll=beauty", "population=cats"])
def test_unknown_board_is_400(authorised: Client, query: str) -> None:
    answer = authorised.get(f"/api/leaderboard?{query}")
    assert answer.status_code == 400
    assert "known:" in answer.json()["detail"]


def test_evaluation_tells_how_far_it_is(authorised: Client, tiny_folder: Path, queued: list[int]) -> None:
    number = post(authorised, "/api/checkpoints", {"path": str(tiny_folder)}).json()["evaluation"]
    EvaluationRun.objects.update(state="running", done=3, total=4)
    shown = authorised.get(f"/api/evaluations/{number}").json()
    assert (shown["state"], shown["done"], shown["total"], shown["percent"]) == ("running", 3, 4, 75)
    assert authorised.get("/api/evaluations/999").status_code == 404


def test_health_counts_workers(client: Client) -> None:
    Worker.objects.create(name="celery@here", pid=1)
    assert client.get("/api/health").json() == {
        "status": "ok",
        "database": "ok",
        "workers": 1,
        "unfinished_evaluations": 0,
    }
