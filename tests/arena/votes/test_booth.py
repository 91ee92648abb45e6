"""The booth as pages and forms: every answer, the reveal, reloads, progress."""

import re

import pytest
from django.test import Client

from arena.gallery.models import Character, Prompt
from arena.polls.models import Matchup, Poll
from arena.votes.models import FreePrompt, Vote, Voter
from arena.votes.voters import COOKIE
from tests.arena.votes.booth_forms import answer, hidden_fields, reveal
from tests.arena.votes.building import enrol, make_contestant, make_poll, make_sample, ready_poll

pytestmark = pytest.mark.django_db


def test_the_first_page_offers_open_polls_and_says_what_others_wait_for(client) -> None:
    ready_poll("duel", contestants=2)
    ffa = make_poll("ffa")
    enrol(ffa, make_contestant(1))
    page = client.get("/").content.decode()
    assert 'href="/polls/duel/">Vote' in page
    assert "Waiting for contestants: 1 of 4 ready" in page
    assert COOKIE not in client.cookies


def test_the_first_page_looks_again_only_while_there_is_nothing_to_vote_on(client) -> None:
    enrol(make_poll("ffa"), make_contestant(1))
    page = client.get("/").content.decode()
    assert "data-look-again" in page
    assert 'http-equiv="refresh"' in page
    ready_poll("duel", contestants=2)
    page = client.get("/").content.decode()
    assert "data-look-again" not in page
    assert 'http-equiv="refresh"' not in page


def test_the_first_page_stands_without_polls(client) -> None:
    page = client.get("/").content.decode()
    assert "No polls yet" in page
    assert "data-look-again" in page


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
    assert "1 vote so far · 1 by you" in " ".join(browser.get("/").content.decode().split())
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


def test_the_character_stays_on_the_pages_after_the_vote(browser) -> None:
    poll = make_poll("fixed", prompts=0)
    mei = Character.objects.create(name="mei", references=["a.png"])
    Prompt.objects.create(prompt_set=poll.prompt_set, text="1girl, mei", character=mei)
    enrol(poll, make_contestant(1), make_contestant(2))
    path = answer(browser, poll, outcome="1")["Location"]
    assert 'src="/characters/mei/1.png"' in browser.get(path).content.decode()
    assert 'src="/characters/mei/1.png"' in reveal(browser, path)


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
