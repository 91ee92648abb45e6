"""Whatever is sent to whatever address: never a 500, always an id, and no traceback in the answer.

The addresses are read from the URL table, so that a new one is fuzzed from its first day.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from arena.evaluations.models import Worker
from arena.gallery.models import Checkpoint, Run, Sample
from arena.polls.models import Seat
from arena.votes.models import FreePrompt, Ticket, Voter
from tests.arena.tiny import media
from tests.arena.votes.building import ready_poll

__all__ = ["media"]
# Requests are not inside a transaction in production either.
pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))
PLACE = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
HUGE = ("9" * 18, "9" * 19, "9" * 400, "-1", "0", "1e999", "NaN", "٣", "1_000")
NASTY = (
    "", " ", "\0", "a\0b", "\ud800", "\udcff", "\x7f", "\x1b[2J", "\r\nSet-Cookie: a=b", "../../etc/passwd", "..%2f",
    "%", "%zz", "%00", "<script>alert(1)</script>", "{{7*7}}", "{% load x %}", "%s%n", "' or 1=1 --", "\u202e",
    "🙂" * 50, "x" * 70_000, *HUGE,
)  # fmt: skip
FIELDS = (
    "ticket", "outcome", "reason", "prompt", "rank_1", "rank_2", "rank_3", "rank_4", "metric", "population", "poll",
    "kind", "fragment", "require", "next", "language", "page", "q", "o", "seed", "sort", "limit", "offset",
    "_changelist_filters", "id__exact", "username", "password", "bad", "flag", "image", "seat", "key", "theme",
    "state", "name",
)  # fmt: skip
TYPES = (
    "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x", "application/json",
    "text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded; charset=no-such",
    "nonsense", "", "a/b; c=\x7f",
)  # fmt: skip
HEADERS = {
    "accept": ("application/json", "*/*;q=x", "text/html;q=0", ",,,", "a" * 5000, "\udcff", "application/json;q=NaN"),
    "accept-language": ("ja", "zz-" * 100, "\0", "*;q=9", "ko;q=0.5,,"),
    "authorization": ("Bearer token-of-the-tests", "Bearer \xff", "Basic ===", "Bearer", "\0", "Bearer ☃"),
    "cookie": ("arena_voter=x:y:z", "arena_voter=\xff", "sessionid=\0; csrftoken=" + "x" * 5000, "=;=", "messages=[["),
    "x-request-id": ("\r\n", "x" * 5000, "☃"),
    "x-forwarded-for": ("not an address", "1.2.3.4, ☃", "::1%x"),
    "x-forwarded-proto": ("https, http", "gopher"),
    "if-modified-since": ("yesterday", "Mon, 99 Nov 9999 99:99:99 GMT"),
    "range": ("bytes=9-1", "bytes=--", "x=0-"),
    "referer": ("\xff", "http://[", "javascript:1"),
    "origin": ("http://[", "null"),
}  # fmt: skip


def patterns(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Every address of the table, with its places as {name}."""
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern).lstrip("^").rstrip("$").replace("\\Z", "")
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern):
            yield "/" + PLACE.sub(lambda place: "{" + (place[1] or place[2]) + "}", route).replace("\\", "")


ROUTES = sorted({route for route in patterns(get_resolver("arena.urls"))})


@pytest.fixture
def known(media, settings) -> dict[str, list[str]]:
    """A small arena, and what a place in an address may truly be."""
    duel, _ = ready_poll("duel", contestants=2, prompts=2), ready_poll("ffa", contestants=4, prompts=2)
    Worker.objects.create(name="celery@here", pid=1, seen_at=timezone.now() + timedelta(hours=1))
    voter = Voter.objects.create()
    free = FreePrompt.objects.create(poll=duel, voter=voter, prompt=duel.prompt_set.prompts.first(), seed=1)
    browser = Client()
    browser.get("/polls/duel/")
    settings.ARENA_VOTES_PER_MINUTE = settings.ARENA_TICKETS_PER_MINUTE = 0
    tokens = [*Ticket.objects.values_list("token", flat=True), free.token]
    return {
        "kind": ["duel", "ffa", "fixed"],
        "token": tokens,
        "key": list(Seat.objects.values_list("image_key", flat=True)),
        "metric": ["trueskill", "elo"],
        "name": list(Run.objects.values_list("name", flat=True)),
        "sha12": [sha[:12] for sha in Checkpoint.objects.values_list("sha256", flat=True)],
        "pk": [str(pk) for pk in Sample.objects.values_list("pk", flat=True)[:2]],
        "run_id": ["1"],
        "number": ["1"],
        "object_id": ["1"],
        "app_label": ["votes", "polls"],
        "_cookie": [browser.cookies["arena_voter"].value],
    }


values = st.sampled_from(NASTY) | st.text(max_size=30) | st.characters(categories=["Cs", "Cc"])
fields = st.dictionaries(st.sampled_from(FIELDS), values | st.lists(values, max_size=2), max_size=5)
bodies = st.binary(max_size=200) | st.sampled_from(
    (b"", b"\0", b"\xff\xfe", b"[" * 5000, b'{"path": "\\u0000"}', b'{"path": 9' + b"9" * 6000 + b"}", b"{}", b"null",
     b'{"path": "\\ud800"}', b'{"step": 1e999, "epoch": -1}', b"ticket=%ff&outcome=%00", b"--x\r\n\r\n",
     b"a=" + b"b" * 90_000, b'{"path": "/", "state": [], "loss": NaN, "epoch": 99999999999999999999}',
     b'{"preset": "\\u0000", "state": "done", "step": 1, "total_steps": 2}')
)  # fmt: skip
requests = st.fixed_dictionaries(
    {
        "place_of_route": st.integers(0, 10**6),
        "method": st.sampled_from(("GET",) * 6 + ("POST",) * 6 + METHODS),
        "places": st.randoms(use_true_random=False),
        "place": values,
        "query": fields,
        "form": st.booleans(),
        "fields": fields,
        "body": bodies,
        "type": st.sampled_from(TYPES),
        "headers": st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(given) for name, given in HEADERS.items()}
        ),
        "voter": st.booleans(),
        "truth": st.booleans(),
    }
)


def quoted(text: str) -> str:
    """As a hostile client would put it into an address: any bytes, percent signs and all."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def form(pairs: dict[str, Any]) -> str:
    flat = ((name, value) for name, given in pairs.items() for value in (given if isinstance(given, list) else [given]))
    return "&".join(f"{name}={quoted(value)}" for name, value in flat)


def send(browser: Client, asked: dict[str, Any], known: dict[str, list[str]], staff: bool) -> HttpResponse:
    routes = [route for route in ROUTES if route.startswith("/admin/") == staff]
    choose = asked["places"].choice
    path = re.sub(
        r"\{(\w+)\}",
        lambda place: choose(known.get(place[1], ["x"])) if asked["truth"] else quoted(asked["place"])[:900] or "x",
        routes[asked["place_of_route"] % len(routes)],
    )
    headers = {name: value for name, value in asked["headers"].items()}
    if asked["voter"]:
        headers["cookie"] = f"arena_voter={known['_cookie'][0]}"
    body = form(asked["fields"]).encode() if asked["form"] else asked["body"]
    content_type = TYPES[0] if asked["form"] else asked["type"]
    address = f"{path}?{form(asked['query'])}"
    return browser.generic(asked["method"], address, body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("staff", [False, True], ids=["visitor", "admin"])
def test_nothing_that_is_sent_makes_a_500(known: dict[str, list[str]], staff: bool, caplog) -> None:
    browser = Client(raise_request_exception=False)
    admin = User.objects.create_superuser("admin") if staff else None
    statuses: dict[int, int] = {}

    @settings(
        max_examples=EXAMPLES // (2 if staff else 1),
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(asked=requests)
    def fuzz(asked: dict[str, Any]) -> None:
        if admin:
            browser.force_login(admin)
            asked = asked | {"headers": {k: v for k, v in asked["headers"].items() if k != "cookie"}, "voter": False}
        caplog.clear()
        answer = send(browser, asked, known, staff)
        if answer.status_code == 405:
            other = "POST" if asked["method"] == "GET" else "GET"
            answer = send(browser, asked | {"method": other}, known, staff)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, caplog.text[-3000:]
        assert re.fullmatch(r"[0-9a-f]{16}", answer["X-Request-ID"])
        answer.close()

    fuzz()
    print(dict(sorted(statuses.items())))
    # The fuzz reaches pages as well as refusals, or it proves little.
    # Of a row that does not exist, the admin says so on its first page; what may only be read, it refuses.
    assert {200, 302, 403} <= set(statuses) if staff else {200, 404} <= set(statuses)
    assert statuses.get(404, 0) < 0.9 * sum(statuses.values())
