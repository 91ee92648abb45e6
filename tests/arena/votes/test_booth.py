import random
import re
from datetime import timedelta
from html import escape

import pytest
from django.test import Client
from django.utils import timezone

from arena.gallery.models import Character, Prompt
from arena.polls.models import Matchup, Poll
from arena.votes.casting import issue_ticket
from arena.votes.models import FreePrompt, Ticket, Vote, Voter
from arena.votes.voters import COOKIE
from tests.arena.votes.building import enrol, make_contestant, make_poll, make_sample, ready_poll

pytestmark = pytest.mark.django_db
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"')


def hidden_fields(page: str) -> dict[str, str]:
    """What a browser without JavaScript sends along with a button."""
    return dict(HIDDEN.findall(page))


def answer(browser: Client, poll: Poll, **fields: str):
    """Open the booth and press a button."""
    page = browser.get(f"/polls/{poll.kind}/").content.decode()
    return browser.post(f"/polls/{poll.kind}/vote", hidden_fields(page) | fields)


def reveal(browser: Client, path: str) -> str:
    """Press Reveal on the page of a recorded answer; the page that follows."""
    response = browser.post(f"{path}reveal", hidden_fields(browser.get(path).content.decode()))
    assert (response.status_code, response["Location"]) == (303, path)
    return browser.get(path).content.decode()


def test_the_first_page_offers_open_polls_and_says_what_others_wait_for(client) -> None:
    ready_poll("duel", contestants=2)
    ffa = make_poll("ffa")
    enrol(ffa, make_contestant(1))
    page = client.get("/").content.decode()
    assert 'href="/polls/duel/">Vote' in page
    assert "Waiting for contestants: 1 of 4 ready" in page
    assert COOKIE not in client.cookies


def test_the_first_page_stands_without_polls(client) -> None:
    assert "No polls yet" in client.get("/").content.decode()


def test_the_privacy_note_names_the_cookie(client) -> None:
    assert COOKIE in client.get("/privacy/").content.decode()


@pytest.mark.parametrize(
    ("kind", "answers"), [("fixed", ["1", "2", "1=2", "bad", "skip"]), ("duel", ["1", "2", "skip"])]
)
def test_every_answer_is_a_plain_button(kind: str, answers: list[str], browser) -> None:
    poll = ready_poll(kind, contestants=2)
    page = browser.get(f"/polls/{kind}/").content.decode()
    assert re.findall(r'name="outcome" value="([^"]+)"', page) == answers
    response = answer(browser, poll, outcome=answers[-2])
    assert response.status_code == 303
    assert Vote.objects.get().outcome == answers[-2]


def test_four_images_are_ranked_by_plain_selects(browser) -> None:
    poll = ready_poll("ffa", contestants=4)
    response = answer(browser, poll, outcome="rank", rank_1="2", rank_2="1", rank_3="4", rank_4="2")
    assert response.status_code == 303
    assert Vote.objects.get().outcome == "2>1=4>3"
    page = browser.get(response["Location"]).content.decode()
    assert "your ranking" in page


@pytest.mark.parametrize("missing", ["", "5", "0", "x"])
def test_an_incomplete_ranking_names_the_image(missing: str, browser) -> None:
    poll = ready_poll("ffa", contestants=4)
    response = answer(browser, poll, outcome="rank", rank_1="1", rank_2="2", rank_3=missing, rank_4="4")
    assert response.status_code == 400
    assert "Image 3 has no rank from 1 to 4" in response.content.decode()
    assert not Vote.objects.exists()


def test_the_reveal_names_contestants_run_and_epoch(browser) -> None:
    poll = ready_poll("duel", contestants=2)
    page = reveal(browser, answer(browser, poll, outcome="2")["Location"])
    assert "secret-run-duel epoch 1" in page
    assert "secret-run-duel epoch 2" in page
    assert "You are the first to judge this pair" in page
    assert re.search(r'<a class="button primary" href="/polls/duel/" autofocus', page)


def test_the_reveal_is_closed_before_the_vote_and_to_others(browser) -> None:
    poll = ready_poll("duel", contestants=2)
    ticket = hidden_fields(browser.get("/polls/duel/").content.decode())["ticket"]
    early = browser.get(f"/votes/{ticket}/")
    assert early.status_code == 302
    assert early["Location"] == "/polls/duel/"
    answer(browser, poll, outcome="1")
    assert Client().get(f"/votes/{ticket}/").status_code == 403
    assert browser.get("/votes/unknown/").status_code == 404


def test_reload_and_back_never_show_an_answered_matchup(browser) -> None:
    poll = ready_poll("duel", contestants=3)
    page = browser.get("/polls/duel/").content.decode()
    first = hidden_fields(page)
    assert hidden_fields(browser.get("/polls/duel/").content.decode())["ticket"] == first["ticket"]
    assert "no-store" in browser.get("/polls/duel/")["Cache-Control"]
    browser.post("/polls/duel/vote", first | {"outcome": "1"})
    assert hidden_fields(browser.get("/polls/duel/").content.decode())["ticket"] != first["ticket"]
    again = browser.post("/polls/duel/vote", first | {"outcome": "2"})
    assert again.status_code == 303
    assert again["Location"] == f"/votes/{first['ticket']}/"
    assert Vote.objects.get().outcome == "1"
    assert poll.matchups.count() == 2


def test_json_answers_are_equal_however_often_they_are_sent(browser) -> None:
    ready_poll("duel", contestants=2)
    fields = hidden_fields(browser.get("/polls/duel/").content.decode()) | {"outcome": "1"}
    replies = [browser.post("/polls/duel/vote", fields, headers={"Accept": "application/json"}) for _ in range(3)]
    assert {reply.status_code for reply in replies} == {200}
    assert replies[0].json() == {
        "vote": 1,
        "outcome": "1",
        "page": f"/votes/{fields['ticket']}/",
        "reveal": f"/votes/{fields['ticket']}/reveal",
        "undo": f"/votes/{fields['ticket']}/undo",
    }
    assert all(reply.json() == replies[0].json() for reply in replies)


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


def test_waiting_and_finished_polls_say_so_and_make_no_voter(browser) -> None:
    waiting = make_poll("ffa")
    enrol(waiting, make_contestant(1), make_contestant(2))
    page = browser.get("/polls/ffa/")
    assert page.status_code == 200
    assert "this poll needs 4, and 2 are ready" in page.content.decode()
    assert not Voter.objects.exists()
    poll = ready_poll("duel", contestants=2, prompts=1)
    answer(browser, poll, outcome="1")
    assert "You have answered everything" in browser.get("/polls/duel/").content.decode()
    Poll.objects.update(is_open=False)
    assert "This poll is closed" in Client().get("/polls/duel/").content.decode()
    assert Matchup.objects.count() == 1


def test_an_unknown_poll_names_the_known_ones(client) -> None:
    ready_poll("duel", contestants=2)
    for path in ("/polls/nope/", "/polls/trueskill/"):
        response = client.get(path)
        assert response.status_code == 404
        assert "there are: duel" in response.content.decode()
    assert client.post("/polls/nope/vote").status_code == 404


def test_progress_counts_answers_but_not_skips_and_offers_a_place_to_stop(browser) -> None:
    poll = ready_poll("duel", contestants=3, prompts=2)
    poll.goal = 2
    poll.save()
    answer(browser, poll, outcome="1")
    answer(browser, poll, outcome="skip", reason="prompt")
    assert "1 of 2 votes" in browser.get("/polls/duel/").content.decode()
    response = answer(browser, poll, outcome="1")
    page = browser.get(response["Location"]).content.decode()
    assert "good place to stop" in page
    assert "/boards/" in page


def test_prompts_are_escaped_and_characters_shown(client) -> None:
    poll = make_poll("fixed", prompts=0)
    mei = Character.objects.create(name="mei_lin", references=["a.png", "b.png"])
    text = '<script>alert(1)</script> & "mei"'
    Prompt.objects.create(prompt_set=poll.prompt_set, text=text, character=mei)
    enrol(poll, make_contestant(1), make_contestant(2))
    page = client.get("/polls/fixed/").content.decode()
    assert text not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert re.findall(r'src="(/characters/[^"]+)"', page) == ["/characters/mei_lin/1.png", "/characters/mei_lin/2.png"]


def test_a_missing_image_is_an_answer_that_may_be_tried_again(client) -> None:
    poll = make_poll("duel", prompts=1)
    prompt = poll.prompt_set.prompts.get()
    contestants = [make_contestant(epoch) for epoch in (1, 2)]
    enrol(poll, *contestants, rendered=False)
    samples = [make_sample(contestant, prompt, 11) for contestant in contestants]
    page = client.get("/polls/duel/").content.decode()
    for sample in samples:
        sample.blind.storage.delete(sample.blind.name)
    paths = re.findall(r'src="(/images/[^"]+)"', page)
    assert [client.get(path).status_code for path in paths] == [503, 503]
    assert client.get("/images/unknown.png").status_code == 404


def test_the_booth_needs_no_script_of_other_sites_and_no_inline_script(client) -> None:
    ready_poll("ffa", contestants=4)
    page = client.get("/polls/ffa/").content.decode()
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert all(path.startswith("/") for path in re.findall(r'(?:src|href|action)="([^"#]+)"', page))
    assert not FreePrompt.objects.exists()
