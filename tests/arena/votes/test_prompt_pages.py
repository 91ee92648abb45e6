import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from arena.votes import free_prompts
from arena.votes.models import FreePrompt, Voter
from arena.votes.voters import COOKIE
from tests.arena.votes.building import make_contestant, make_poll, ready_poll

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("living_worker")]
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def send(browser: Client, path: str, **fields: str):
    """Post a form of the booth's page."""
    token = TOKEN.search(browser.get("/polls/duel/").content.decode())[1]
    return browser.post(path, {"csrfmiddlewaretoken": token} | fields)


@pytest.fixture
def typed(browser) -> FreePrompt:
    """A prompt that this browser sent; no worker runs."""
    ready_poll("duel", contestants=2)
    response = send(browser, "/polls/duel/prompt", prompt="1girl, <i>smile</i>")
    assert response.status_code == 303
    free = FreePrompt.objects.get()
    assert response["Location"] == f"/prompts/{free.token}/"
    return free


def test_the_page_shows_progress_and_refreshes_itself_without_a_script(typed, browser) -> None:
    page = browser.get(f"/prompts/{typed.token}/").content.decode()
    assert "1girl, &lt;i&gt;smile&lt;/i&gt;" in page
    assert "Waiting for the worker" in page
    assert re.search(r'<noscript><meta http-equiv="refresh" content="2"></noscript>', page)
    assert re.search(r'<progress id="rendered" max="2" value="0">', page)


def test_the_state_is_told_as_json(typed, browser, settings) -> None:
    FreePrompt.objects.update(state="rendering", rendered=1)
    state = browser.get(f"/prompts/{typed.token}/state").json()
    assert state.pop("seconds") in range(60)
    assert state == {
        "state": "rendering", "rendered": 1, "total": 2, "budget": settings.ARENA_FREE_PROMPT_BUDGET_SECONDS,
    }  # fmt: skip


def test_a_ready_prompt_leads_to_the_booth(typed, browser) -> None:
    FreePrompt.objects.update(state="ready")
    response = browser.get(f"/prompts/{typed.token}/")
    assert response.status_code == 302
    assert response["Location"] == "/polls/duel/"


def test_cancelling_says_so_and_is_harmless_twice(typed, browser) -> None:
    for _ in range(2):
        assert send(browser, f"/prompts/{typed.token}/cancel").status_code == 303
    assert "You stopped this prompt" in browser.get(f"/prompts/{typed.token}/").content.decode()
    assert FreePrompt.objects.get().state == "cancelled"
    assert browser.get(f"/prompts/{typed.token}/cancel").status_code == 405


def test_a_spent_budget_is_an_honest_page_even_without_a_worker(typed, browser, settings) -> None:
    FreePrompt.objects.update(
        created_at=timezone.now() - timedelta(seconds=settings.ARENA_FREE_PROMPT_BUDGET_SECONDS + 1)
    )
    page = browser.get(f"/prompts/{typed.token}/").content.decode()
    assert "Your prompt was not rendered" in page
    assert free_prompts.OUT_OF_TIME in page
    assert "refresh" not in page


def test_a_second_prompt_is_told_to_wait(typed, browser) -> None:
    response = send(browser, "/polls/duel/prompt", prompt="another")
    page = response.content.decode()
    assert response.status_code == 429
    assert re.search(r"at most \d+ s more", page)
    assert f'href="/prompts/{typed.token}/"' in page
    assert "is being rendered" in browser.get("/polls/duel/").content.decode()


def test_a_prompt_is_nobody_elses_business(typed) -> None:
    stranger = Client()
    for path in (f"/prompts/{typed.token}/", f"/prompts/{typed.token}/state", "/prompts/unknown/"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/prompts/{typed.token}/cancel").status_code == 404
    assert FreePrompt.objects.get().state == "queued"


@pytest.mark.parametrize("text", ["", "   ", "a" * 10_000, "1girl, nsfw", "\x01"])
def test_refused_prompts_get_a_page_with_the_remedy(text: str, browser) -> None:
    ready_poll("duel", contestants=2)
    response = send(browser, "/polls/duel/prompt", prompt=text)
    assert response.status_code == 400
    assert "Write 1 to 300 characters of tags" in response.content.decode()
    assert not FreePrompt.objects.exists()


def test_a_refused_prompt_can_be_mended_where_it_is_refused(browser) -> None:
    ready_poll("duel", contestants=2)
    page = send(browser, "/polls/duel/prompt", prompt='1girl, "nsfw"').content.decode()
    assert 'action="/polls/duel/prompt"' in page
    assert 'name="prompt" value="1girl, &quot;nsfw&quot;"' in page
    assert '<a class="button" href="/polls/duel/">Back to the poll</a>' in page
    mended = browser.post("/polls/duel/prompt", {"csrfmiddlewaretoken": TOKEN.search(page)[1], "prompt": "1girl"})
    assert mended.status_code == 303


def test_a_poll_of_fixed_prompts_offers_no_form_with_its_refusal(browser) -> None:
    ready_poll("duel", contestants=2)
    ready_poll("fixed", contestants=2)
    page = send(browser, "/polls/fixed/prompt", prompt="1girl, nsfw").content.decode()
    assert "/polls/fixed/prompt" not in page
    assert 'href="/polls/fixed/">Go on</a>' in page


def test_fixed_polls_take_no_prompts_and_show_no_form(client) -> None:
    ready_poll("fixed", contestants=2)
    assert "/polls/fixed/prompt" not in client.get("/polls/fixed/").content.decode()
    assert client.post("/polls/fixed/prompt", {"prompt": "1girl"}).status_code == 409


def test_a_newcomer_who_types_first_becomes_a_voter() -> None:
    poll = make_poll("duel", prompts=0)
    for epoch in (1, 2):
        poll.enrolments.create(contestant=make_contestant(epoch))
    newcomer = Client()
    assert newcomer.post("/polls/duel/prompt", {"prompt": "1girl"}).status_code == 303
    assert COOKIE in newcomer.cookies
    assert Voter.objects.get().free_prompts.get().prompt.text == "1girl"
