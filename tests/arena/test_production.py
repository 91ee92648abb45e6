"""What a deployment relies on: ids, headers, limits, pages for failures, health, and settings refused by name."""

import logging
import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueError

from arena import errors
from arena import urls as site
from arena.evaluations.models import Worker
from arena.middleware import CURRENT, POLICY, RequestIdFilter, request_id
from arena.votes.models import FreePrompt, Voter
from tests.arena.votes.building import make_poll
from tests.site import free_port

ID = re.compile(r"[0-9a-f]{16}")
JSON = {"Accept": "application/json"}


@pytest.fixture
def visitor() -> Client:
    """A browser that is shown the page of a failure instead of a traceback."""
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


FAILURES = {
    "database": OperationalError("the server at db.internal is gone"),
    "store": errors.StoreError("the server at s3.internal is gone"),
    "queue": QueueError("the server at mq.internal is gone"),
    "mistake": ValueError("the server at home.internal is fine"),
}
handler400, handler403, handler404, handler500 = site.handler400, site.handler403, site.handler404, site.handler500


def failing_view(request: HttpRequest, part: str) -> HttpResponse:
    """A view whose part of the machinery fails."""
    raise FAILURES[part]


# The site's own table and one view that fails on demand.
urlpatterns = [path("fail/<str:part>", failing_view), path("", include("arena.urls"))]
pytestmark = pytest.mark.urls(__name__)


def test_every_answer_has_an_id_of_its_own_and_the_policies(visitor: Client, db: None) -> None:
    answers = [visitor.get(path) for path in ("/", "/nowhere", "/healthz", "/admin/login/", "/static/arena/base.css")]
    ids = {answer["X-Request-ID"] for answer in answers}
    assert len(ids) == len(answers)
    for answer in answers:
        assert ID.fullmatch(answer["X-Request-ID"])
        assert answer["Content-Security-Policy"] == POLICY
        assert "geolocation=()" in answer["Permissions-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        answer.close()
    assert "unsafe" not in POLICY


def test_a_proxy_is_believed_only_where_it_is_trusted(settings) -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": "from-the-proxy-1"})
    assert ID.fullmatch(request_id(request))
    settings.BEHIND_PROXY = True
    assert request_id(request) == "from-the-proxy-1"
    for insane in ("short", "x" * 65, "two words here", "line\nbreak-in-it", "<script>alert(1)"):
        assert ID.fullmatch(request_id(RequestFactory().get("/", headers={"X-Request-ID": insane})))


def test_log_lines_carry_the_id_of_their_request(visitor: Client, db: None, caplog) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    answer = visitor.get("/fail/database")
    missing = visitor.get("/nowhere")
    lines = {(record.name, record.request_id) for record in caplog.records}
    assert ("arena.errors", answer["X-Request-ID"]) in lines
    assert ("django.request", answer["X-Request-ID"]) in lines
    assert ("django.request", missing["X-Request-ID"]) in lines
    logging.getLogger("arena").warning("between requests")
    assert caplog.records[-1].request_id == "-" == CURRENT.get()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nowhere", 404, "There is no such page"),
        ("/checkpoints/none/", 404, "Nothing of that name"),
    ],
)
def test_error_pages_name_the_id_and_what_to_do(visitor: Client, db: None, path: str, status: int, words: str) -> None:
    answer = visitor.get(path)
    page = answer.content.decode()
    assert answer.status_code == status
    assert words in page
    assert f"<code>{answer['X-Request-ID']}</code>" in page
    assert 'href="/"' in page


def test_a_program_gets_a_problem_document(visitor: Client, db: None) -> None:
    page, endpoint = visitor.get("/nowhere", headers=JSON), visitor.get("/api/nowhere")
    for answer, title in ((page, "There is no such page"), (endpoint, "There is no such address in the API")):
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["title"]) == (404, 404, title)
        assert problem["request_id"] == answer["X-Request-ID"]
    assert "/api/openapi.json" in endpoint.json()["detail"]


def test_a_form_without_its_secret_and_a_wrong_method_have_pages(visitor: Client, db: None) -> None:
    forged = visitor.post("/polls/duel/vote", {"ticket": "x"})
    assert (forged.status_code, "could not be trusted" in forged.content.decode()) == (403, True)
    wrong = visitor.get("/polls/duel/vote")
    assert (wrong.status_code, wrong["Allow"]) == (405, "POST")
    assert wrong["X-Request-ID"] in wrong.content.decode()


def test_an_unknown_host_is_a_page_too(visitor: Client) -> None:
    answer = visitor.get("/", headers={"Host": "evil.example"})
    assert (answer.status_code, "could not be read" in answer.content.decode()) == (400, True)


def test_a_large_body_is_turned_down_unread(visitor: Client, settings) -> None:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    answer = visitor.post("/polls/duel/prompt", {"prompt": "x" * most})
    assert (answer.status_code, "too much at once" in answer.content.decode()) == (413, True)
    answer = visitor.post("/api/checkpoints", b" " * (most + 1), content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (413, 413)
    for length in ("-1", "many", "1" * 30):
        assert visitor.generic("POST", "/", CONTENT_LENGTH=length).status_code == 400


def test_too_many_fields_are_turned_down(db: None, settings) -> None:
    fields = {f"field{number}": "" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    assert Client().post("/admin/login/", fields).status_code == 400


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("database", "database does not answer"),
        ("store", "images cannot be reached"),
        ("queue", "Nothing can be rendered"),
    ],
)
def test_a_part_that_does_not_answer_is_a_page_that_may_be_tried_again(
    visitor: Client, caplog, part: str, words: str
) -> None:
    answer = visitor.get(f"/fail/{part}")
    page = answer.content.decode()
    assert (answer.status_code, words in page) == (503, True)
    assert int(answer["Retry-After"]) >= 30
    assert "internal" not in page
    assert "internal is gone" in caplog.text
    assert visitor.get(f"/fail/{part}", headers=JSON).json()["status"] == 503


def test_a_mistake_of_ours_is_a_page_with_the_id_and_without_the_details(visitor: Client, caplog) -> None:
    answer = visitor.get("/fail/mistake")
    page = answer.content.decode()
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in page
    assert "internal" not in page
    assert "home.internal" in caplog.text


def test_health_says_what_is_missing(client: Client, db: None) -> None:
    alone = client.get("/healthz")
    assert (alone.status_code, alone.json()["status"]) == (200, "degraded")
    assert client.get("/healthz?require=all").status_code == 503
    Worker.objects.create(name="celery@here", pid=1)
    whole = client.get("/healthz?require=all")
    assert (whole.status_code, whole.json()["status"], whole.json()["queue"]["workers"]) == (200, "ok", 1)
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    assert client.get("/healthz").json()["status"] == "degraded"


def test_health_names_a_prompt_that_waits_too_long(client: Client, db: None, settings) -> None:
    Worker.objects.create(name="celery@here", pid=1)
    poll = make_poll("duel")
    prompt = poll.prompt_set.prompts.first()
    free = FreePrompt.objects.create(poll=poll, voter=Voter.objects.create(), prompt=prompt, seed=1)
    assert client.get("/healthz").json()["status"] == "ok"
    settings.ARENA_FREE_PROMPT_BUDGET_SECONDS = 10
    FreePrompt.objects.filter(pk=free.pk).update(created_at=timezone.now() - timedelta(seconds=60))
    body = client.get("/healthz").json()
    assert (body["status"], body["queue"]["late"]) == ("degraded", True)


def test_health_without_a_cache_is_degraded(client: Client, db: None, settings) -> None:
    Worker.objects.create(name="celery@here", pid=1)
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": nobody}}
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"], answer.json()["cache"]) == (200, "degraded", "does not answer")


@pytest.mark.parametrize("address", ["/polls/none/", "/boards/none/"])
def test_a_refusal_names_the_id_too(client: Client, db: None, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert f"<code>{answer['X-Request-ID']}</code>" in answer.content.decode()


@pytest.mark.parametrize("address", ["/polls/none/", "/api/leaderboard", "/api/nowhere"])
def test_a_refusal_of_a_program_is_a_problem_document(client: Client, db: None, address: str) -> None:
    answer = client.get(address, headers=JSON)
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["request_id"]) == (answer.status_code, answer["X-Request-ID"])


def test_each_visitor_is_told_in_their_own_language(visitor: Client, db: None, settings) -> None:
    body = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    pages = [
        visitor.post("/", body, content_type="text/plain", headers={"Accept-Language": language}).content.decode()
        for language in ("ja", "ko", "en")
    ]
    for language, page in zip(("ja", "ko", "en"), pages, strict=True):
        assert f'<html lang="{language}">' in page
    assert len({page.split("<h1>")[1].split("</h1>")[0] for page in pages}) == 3
