"""The JSON that training runs and researchers speak."""

import json
import re
import shutil
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from arena.evaluations.models import EvaluationRun, Worker
from arena.evaluations.seeding import seed
from arena.gallery.models import Checkpoint, Contestant, Run
from generation.tiny import write_tiny_checkpoint
from rating.votefile import read_votes
from training.hooks import LOCAL, Progress

pytestmark = pytest.mark.django_db


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
    assert (answer.status_code, answer["WWW-Authenticate"].split(" ")[0]) == (401, "Bearer")
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
    wrong = authorised.get("/api/checkpoints")
    assert (wrong.status_code, wrong["Allow"], wrong["Content-Type"]) == (405, "POST", "application/problem+json")


def test_the_trainers_report_is_kept(authorised: Client) -> None:
    report = Progress("named", "training", 1, 4, 30, 2000, loss=0.2, images_per_s=7.5, eta_s=300.0, message="")
    told = {name: value for name, value in vars(report).items() if name not in LOCAL}
    answer = post(authorised, "/api/runs/named-1a2b3c4d/progress", told)
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
def test_unknown_board_is_404_and_names_the_known(authorised: Client, query: str) -> None:
    answer = authorised.get(f"/api/leaderboard?{query}")
    assert answer.status_code == 404
    assert "known:" in answer.json()["detail"]


def test_an_evaluation_is_started_inspected_cancelled_and_resumed(
    authorised: Client, tiny_folder: Path, queued: list[int], django_capture_on_commit_callbacks
) -> None:
    number = post(authorised, "/api/checkpoints", {"path": str(tiny_folder)}).json()["evaluation"]
    name = Checkpoint.objects.get().name
    listing = authorised.get("/api/evaluations?state=queued").json()
    assert (listing["total"], listing["evaluations"][0]["id"], listing["evaluations"][0]["name"]) == (1, number, name)
    started = post(authorised, "/api/evaluations", {"checkpoint": name})
    assert (started.status_code, started.json()["id"]) == (200, number), "it is queued already"
    for _ in range(2):
        cancelled = post(authorised, f"/api/evaluations/{number}/cancel", {})
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    again = post(authorised, "/api/checkpoints", {"path": str(tiny_folder)})
    assert again.status_code == 200
    assert EvaluationRun.objects.get().state == "cancelled", "registering again does not undo what a person decided"
    seed(None)
    with django_capture_on_commit_callbacks(execute=True):
        resumed = post(authorised, "/api/evaluations", {"checkpoint": Checkpoint.objects.get().sha256[:10]})
    assert (resumed.status_code, resumed.json()["state"], queued) == (201, "queued", [number])
    EvaluationRun.objects.update(state="done")
    refused = post(authorised, f"/api/evaluations/{number}/cancel", {})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"evaluation {number} is done: there is nothing to cancel",
    )


def test_unknown_evaluations_and_checkpoints_name_the_known(
    authorised: Client, tiny_folder: Path, queued: list[int]
) -> None:
    number = post(authorised, "/api/checkpoints", {"path": str(tiny_folder)}).json()["evaluation"]
    refusals = {
        f"known, newest first: {number}": authorised.get("/api/evaluations/999"),
        f"Candidates: {Checkpoint.objects.get().name} (": post(
            authorised, "/api/evaluations", {"checkpoint": "the best"}
        ),
        "known: queued, running, done, incomplete, failed, cancelled": authorised.get("/api/evaluations?state=asleep"),
    }
    for detail, answer in refusals.items():
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert detail in answer.json()["detail"]
    assert post(authorised, "/api/evaluations", {}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_the_same_epoch_posted_at_once_is_one_evaluation(settings, tiny_folder: Path, queued: list[int]) -> None:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads need a database that they can share; test_live.py has SQLite's turn")
    barrier, answers = Barrier(6), []

    def register() -> None:
        try:
            client = Client(headers={"Authorization": f"Bearer {settings.ARENA_API_TOKEN}"})
            barrier.wait()
            answers.append(post(client, "/api/checkpoints", {"path": str(tiny_folder)}))
        finally:
            connection.close()

    threads = [Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    run = EvaluationRun.objects.get()
    assert {answer.json()["evaluation"] for answer in answers} == {run.pk}
    assert (Checkpoint.objects.count(), Contestant.objects.count(), queued) == (1, 1, [run.pk])


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


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_votes_are_sent_as_a_file_in_pieces(authorised: Client, log, tmp_path: Path, form: str) -> None:
    log.vote("duel", "a b", "1")
    log.vote("fixed", "b a", "1=2")
    answer = authorised.get(f"/api/votes?format={form}")
    assert (answer.status_code, answer.streaming) == (200, True)
    assert re.fullmatch(rf'attachment; filename="votes-people-\d{{8}}\.{form}"', answer["Content-Disposition"])
    path = tmp_path / f"votes.{form}"
    path.write_bytes(b"".join(answer.streaming_content))
    assert list(read_votes(path).ids) == ["1", "2"]
    told = authorised.get("/api/votes/card?poll=fixed").json()
    assert (told["votes"], told["poll"]) == (1, "fixed")


def test_an_export_that_cannot_be_is_a_problem_and_no_torn_file(authorised: Client, log) -> None:
    for query in ("format=xml", "poll=beauty", "population=cats"):
        answer = authorised.get(f"/api/votes?{query}")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert "known:" in answer.json()["detail"]
    log.vote("duel", "a b", "left")
    answer = authorised.get("/api/votes")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "vote 1" in answer.json()["detail"]
