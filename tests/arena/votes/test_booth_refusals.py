"""What the booth refuses, and how it goes on: bad answers, tickets, cookies."""

import random
from datetime import timedelta
from html import escape

import pytest
from django.test import Client
from django.utils import timezone

from arena.polls.models import Matchup
from arena.votes.casting import issue_ticket
from arena.votes.models import Ticket, Vote, Voter
from arena.votes.voters import COOKIE
from tests.arena.votes.booth_forms import answer, hidden_fields
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("missing", ["", "5", "0", "x"])
def test_an_incomplete_ranking_names_the_image(missing: str, browser) -> None:
    poll = ready_poll("ffa", contestants=4)
    response = answer(browser, poll, outcome="rank", rank_1="1", rank_2="2", rank_3=missing, rank_4="4")
    assert response.status_code == 400
    assert "Image 3 has no rank from 1 to 4" in response.content.decode()
    assert not Vote.objects.exists()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"outcome": "1=2"}, 400, "is not an answer of the poll"),
        ({"outcome": "4"}, 400, "there is no seat 4"),
        ({"outcome": "2>1=4>3"}, 400, "not understood"),
        ({"outcome": ""}, 400, "not understood"),
        ({"outcome": "rank"}, 400, "Image 1 has no rank"),
        ({"outcome": "1", "ticket": "x" * 24}, 404, "no such ticket"),
        ({"outcome": "1", "ticket": "\x00"}, 404, "no such ticket"),
        ({"outcome": "skip", "reason": "other"}, 400, "not on the list"),
    ],
)
def test_bad_answers_get_a_page_and_json_with_the_remedy(change, status: int, words: str, browser) -> None:
    ready_poll("duel", contestants=2)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | change
    page = browser.post("/polls/duel/vote", fields)
    assert page.status_code == status
    assert escape(words) in page.content.decode()
    reply = browser.post("/polls/duel/vote", fields, headers={"Accept": "application/json"})
    assert reply.status_code == status
    assert words in reply.json()["error"]
    assert reply.json()["remedy"]
    assert not Vote.objects.exists()


def test_a_foreign_ticket_is_refused(browser) -> None:
    poll = ready_poll("duel", contestants=2)
    theirs = issue_ticket(poll, Voter.objects.create(), random.Random(1))
    assert answer(browser, poll, outcome="1", ticket=theirs.token).status_code == 403
    assert not Vote.objects.exists()


def test_an_answer_without_a_voter_cookie_is_refused(browser) -> None:
    ready_poll("duel", contestants=2)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    del browser.cookies[COOKIE]
    response = browser.post("/polls/duel/vote", fields)
    assert response.status_code == 403
    assert "no voter cookie" in response.content.decode()


@pytest.mark.parametrize("cookie", ["rubbish", "a:b:c", ":::", "x" * 3000])
def test_an_answer_with_a_broken_cookie_is_refused_with_a_way_on(cookie: str, browser) -> None:
    ready_poll("duel", contestants=2)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    browser.cookies[COOKIE] = cookie
    response = browser.post("/polls/duel/vote", fields, headers={"Accept": "application/json"})
    assert response.status_code == 400
    assert "not one of this arena" in response.json()["error"]
    assert not Vote.objects.exists()
    assert browser.get("/polls/duel/").status_code == 200
    assert Voter.objects.count() == 2


def test_an_expired_ticket_is_gone_and_the_booth_goes_on(browser, settings) -> None:
    ready_poll("duel", contestants=3)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    Ticket.objects.update(created_at=timezone.now() - timedelta(hours=25))
    response = browser.post("/polls/duel/vote", fields)
    assert response.status_code == 410
    assert "more than 24 hours ago" in response.content.decode()
    assert not Vote.objects.exists()
    assert hidden_fields(browser.get("/polls/duel/").content.decode())["ticket"] != fields["ticket"]
    settings.ARENA_TICKET_HOURS = 26
    assert browser.post("/polls/duel/vote", fields).status_code == 303


def test_an_expired_matchup_is_shown_to_nobody_else(browser) -> None:
    ready_poll("duel", contestants=2, prompts=1)
    browser.get("/polls/duel/")
    Ticket.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert "You have answered everything" in browser.get("/polls/duel/").content.decode()
    Client().get("/polls/duel/")
    assert [matchup.tickets.count() for matchup in Matchup.objects.all()] == [1, 1]


def test_a_revoked_voter_is_told_so(browser) -> None:
    ready_poll("duel", contestants=3)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    Voter.objects.update(revoked_at=timezone.now(), revoked_reason="always left")
    for response in (browser.post("/polls/duel/vote", fields), browser.get("/polls/duel/")):
        assert response.status_code == 403
        assert "always left" in response.content.decode()
    assert not Vote.objects.exists()


def test_an_answer_without_the_csrf_token_is_refused(browser) -> None:
    ready_poll("duel", contestants=2)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode())
    assert browser.post("/polls/duel/vote", {"ticket": fields["ticket"], "outcome": "1"}).status_code == 403
    assert not Vote.objects.exists()


def test_the_voter_cookie_is_signed_and_kept_from_scripts(browser) -> None:
    ready_poll("duel", contestants=2)
    browser.get("/polls/duel/")
    cookie = browser.cookies[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    key = Voter.objects.get().key
    assert cookie.value.startswith(f"{key}:")
    assert cookie.value != key


@pytest.mark.parametrize("broken", ["", "rubbish", "a:b:c", ":::", "\x7f", "é", "x" * 5000])
def test_a_broken_cookie_makes_a_new_voter(broken: str) -> None:
    ready_poll("duel", contestants=2)
    response = Client(headers={"cookie": f"{COOKIE}={broken}"}).get("/polls/duel/")
    assert response.status_code == 200
    assert Voter.objects.count() == 1


def test_a_cookie_of_somebody_else_with_another_key_is_broken(browser) -> None:
    ready_poll("duel", contestants=2)
    browser.get("/polls/duel/")
    other = Voter.objects.create()
    signature = browser.cookies[COOKIE].value.split(":", 1)[1]
    forger = Client(headers={"cookie": f"{COOKIE}={other.key}:{signature}"})
    forger.get("/polls/duel/")
    assert not Ticket.objects.filter(voter=other).exists()
