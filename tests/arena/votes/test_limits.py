import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from django.test import Client, RequestFactory

from arena.votes import limits
from arena.votes.models import Vote, Voter
from tests.arena.votes.booth_forms import answer, hidden_fields
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Twenty seconds into a minute that never ends."""
    monkeypatch.setattr(limits.time, "time", lambda: 60.0 * 1_000_000 + 20)
    cache.clear()
    yield
    cache.clear()


def test_too_many_answers_are_refused_until_the_next_minute(browser, settings, monkeypatch) -> None:
    settings.ARENA_VOTES_PER_MINUTE = 2
    poll = ready_poll("duel", contestants=4)
    assert [answer(browser, poll, outcome="1").status_code for _ in range(2)] == [303, 303]
    for _ in range(2):
        refused = answer(browser, poll, outcome="1")
        assert refused.status_code == 429
        assert refused["Retry-After"] == "40"
        assert "more than 2 answers in a minute" in refused.content.decode()
    assert Vote.objects.count() == 2
    monkeypatch.setattr(limits.time, "time", lambda: 60.0 * 1_000_001)
    assert answer(browser, poll, outcome="1").status_code == 303


def test_a_retry_is_not_counted(browser, settings) -> None:
    settings.ARENA_VOTES_PER_MINUTE = 2
    poll = ready_poll("duel", contestants=4)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    assert {browser.post("/polls/duel/vote", fields).status_code for _ in range(9)} == {303}
    assert answer(browser, poll, outcome="1").status_code == 303
    assert answer(browser, poll, outcome="1").status_code == 429
    assert {browser.post("/polls/duel/vote", fields).status_code for _ in range(2)} == {303}


def test_voters_do_not_share_their_limit(settings) -> None:
    settings.ARENA_VOTES_PER_MINUTE = 1
    poll = ready_poll("duel", contestants=3)
    assert [answer(Client(), poll, outcome="1").status_code for _ in range(3)] == [303] * 3


def test_too_many_matchups_from_one_address_make_no_voters(settings) -> None:
    settings.ARENA_TICKETS_PER_MINUTE = 2
    ready_poll("duel", contestants=3)
    assert [Client().get("/polls/duel/").status_code for _ in range(2)] == [200, 200]
    refused = Client().get("/polls/duel/", headers={"Accept": "application/json"})
    assert refused.status_code == 429
    assert refused["Retry-After"] == "40"
    assert "from your address" in refused.json()["error"]
    assert Voter.objects.count() == 2
    assert Client(REMOTE_ADDR="192.0.2.7").get("/polls/duel/").status_code == 200


def test_zero_is_no_limit(browser, settings) -> None:
    settings.ARENA_VOTES_PER_MINUTE = settings.ARENA_TICKETS_PER_MINUTE = 0
    poll = ready_poll("duel", contestants=4)
    assert {answer(browser, poll, outcome="1").status_code for _ in range(5)} == {303}


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind_proxy", "counted"),
    [
        ("192.0.2.7", "203.0.113.9", False, "192.0.2.7"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.9", True, "203.0.113.9"),
        ("127.0.0.1", "", True, "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("unix", "", False, "unix"),
    ],
)
def test_whom_an_address_stands_for(peer: str, forwarded: str, behind_proxy: bool, counted: str, settings) -> None:
    settings.BEHIND_PROXY = behind_proxy
    request = RequestFactory(REMOTE_ADDR=peer).get("/", headers={"X-Forwarded-For": forwarded} if forwarded else {})
    assert limits.address(request) == counted


def test_addresses_are_not_kept_readable() -> None:
    names = [limits.name_of(f"tickets 192.0.2.{n}") for n in range(50)]
    assert len(set(names)) == 50
    assert all(re.fullmatch(r"limit:[0-9a-f]{40}", name) for name in names)


def test_a_cache_that_does_not_answer_stops_nobody(browser, settings, monkeypatch) -> None:
    monkeypatch.setattr(limits, "cache", RedisCache("redis://127.0.0.1:1/0", {}))
    settings.ARENA_TICKETS_PER_MINUTE = settings.ARENA_VOTES_PER_MINUTE = 1
    poll = ready_poll("duel", contestants=4)
    assert [answer(browser, poll, outcome="1").status_code for _ in range(2)] == [303, 303]
