import pytest
from django.test import Client

from arena.leaderboard.table import board
from arena.polls.models import Enrolment
from arena.votes.casting import cast
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from tests.arena.votes.booth_forms import answer, hidden_fields
from tests.arena.votes.building import RUN, ready_poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorded(browser) -> str:
    """The page of an answer, second seat, of a duel of three contestants."""
    return answer(browser, ready_poll("duel", contestants=3), outcome="2")["Location"]


def press(browser: Client, page: str, button: str, **headers: str):
    """Send the form of that button as a browser without JavaScript does."""
    token = browser.cookies["csrftoken"].value
    return browser.post(f"{page}{button}", {"csrfmiddlewaretoken": token}, headers=headers)


def test_what_was_recorded_is_said_without_names(browser, recorded) -> None:
    response = browser.get(recorded)
    page = response.content.decode()
    assert "your pick" in page
    assert page.count("Your pick") == 1
    assert RUN not in page
    assert "epoch" not in page
    assert page.count("/checkpoints/") == page.count('href="/checkpoints/"') == 1, "the navigation, and no checkpoint"
    assert "no-store" in response["Cache-Control"]
    data = browser.get(recorded, headers={"Accept": "application/json"}).json()
    assert data == {"vote": 1, "outcome": "2", "revealed": False}
    assert Ticket.objects.get().revealed_at is None


def test_going_on_reveals_nothing_and_the_reveal_is_there_later(browser, recorded) -> None:
    browser.get("/polls/duel/")
    assert RUN not in browser.get(recorded).content.decode()
    assert press(browser, recorded, "reveal").status_code == 303
    assert RUN in browser.get(recorded).content.decode()


def test_the_reveal_as_json_names_who_sat_where(browser, recorded) -> None:
    data = press(browser, recorded, "reveal", Accept="application/json").json()
    contestants = [seat.sample.contestant for seat in Ticket.objects.get().matchup.seats.order_by("position")]
    assert [seat["contestant"] for seat in data["seats"]] == [str(contestant) for contestant in contestants]
    assert data["agreement"] == {"same": 0, "total": 0}
    revealed_at = Ticket.objects.get().revealed_at
    assert press(browser, recorded, "reveal", Accept="application/json").json() == data
    assert Ticket.objects.get().revealed_at == revealed_at


def test_an_answer_taken_back_is_asked_again_in_the_same_order(browser, recorded) -> None:
    first = Ticket.objects.get()
    response = press(browser, recorded, "undo")
    assert (response.status_code, response["Location"]) == (303, "/polls/duel/")
    fields = hidden_fields(browser.get("/polls/duel/").content.decode())
    second = Ticket.objects.get(token=fields["ticket"])
    assert second != first
    assert second.matchup == first.matchup
    assert browser.get(recorded)["Location"] == "/polls/duel/"
    browser.post("/polls/duel/vote", fields | {"outcome": "1"})
    assert list(Vote.objects.values_list("number", "outcome")) == [(1, "2"), (2, "1")]
    assert VoteExclusion.objects.get().vote.number == 1
    assert (VoteExclusion.objects.get().state, VoteExclusion.objects.get().rule) == ("excluded", "undone")
    assert sum(Enrolment.objects.values_list("appearances", flat=True)) == 2


def test_boards_and_progress_follow_the_answer_that_stands(browser, recorded) -> None:
    assert board("elo", "duel").head.counted == 1
    press(browser, recorded, "undo")
    page = browser.get("/polls/duel/").content.decode()
    assert "0 of 20 votes" in page
    assert (board("elo", "duel").head.counted, board("elo", "duel").head.excluded) == (0, 1)
    browser.post("/polls/duel/vote", hidden_fields(page) | {"outcome": "1"})
    assert "1 of 20 votes" in browser.get("/polls/duel/").content.decode()
    assert board("elo", "duel").head.counted == 1


def test_undo_sent_twice_gives_the_same_ticket_until_that_is_answered(browser, recorded) -> None:
    replies = [press(browser, recorded, "undo", Accept="application/json") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json() == replies[1].json()
    assert replies[0].json()["undone"] is True
    assert Ticket.objects.count() == 2
    answer(browser, Ticket.objects.first().matchup.poll, outcome="1")
    late = press(browser, recorded, "undo", Accept="application/json")
    assert late.status_code == 409
    assert "answered again" in late.json()["error"]
    assert Ticket.objects.count() == Vote.objects.count() == 2


def test_after_the_reveal_nothing_is_taken_back(browser, recorded) -> None:
    press(browser, recorded, "reveal")
    response = press(browser, recorded, "undo")
    assert response.status_code == 409
    assert "know who it was" in response.content.decode()
    assert not VoteExclusion.objects.exists()
    assert Ticket.objects.count() == 1


def test_an_answer_taken_back_is_never_revealed(browser, recorded) -> None:
    press(browser, recorded, "undo")
    assert press(browser, recorded, "reveal").status_code == 409
    assert not Ticket.objects.exclude(revealed_at=None).exists()


@pytest.mark.parametrize("button", ["reveal", "undo"])
def test_nothing_happens_to_foreign_unknown_and_unanswered_tickets(button: str, browser, recorded) -> None:
    browser.get("/polls/duel/")
    waiting = Ticket.objects.get(vote=None)
    assert press(browser, f"/votes/{waiting.token}/", button).status_code == 409
    assert press(browser, "/votes/unknown/", button).status_code == 404
    assert browser.get(f"{recorded}{button}").status_code == 405
    assert browser.post(f"{recorded}{button}").status_code == 403
    stranger = Client()
    assert stranger.post(f"{recorded}{button}").status_code == 403
    stranger.get("/polls/duel/")
    assert stranger.post(f"{recorded}{button}").status_code == 403
    assert not Ticket.objects.exclude(revealed_at=None).exists()
    assert not VoteExclusion.objects.exists()


def test_what_was_held_against_a_vote_is_kept_in_words(browser, recorded) -> None:
    VoteExclusion.objects.create(vote=Vote.objects.get(), state="unverified", rule="too-fast", reason="after 0.2 s")
    press(browser, recorded, "undo")
    row = VoteExclusion.objects.get()
    assert (row.state, row.rule) == ("excluded", "undone")
    assert row.reason == "undone by the voter; before: too-fast, after 0.2 s"


def test_a_vote_that_could_not_be_cast_again_stays(browser, recorded) -> None:
    poll = Ticket.objects.get().matchup.poll
    poll.is_open = False
    poll.save()
    response = press(browser, recorded, "undo")
    assert response.status_code == 409
    assert "has closed" in response.content.decode()
    assert not VoteExclusion.objects.exists()


def test_a_revoked_voter_takes_nothing_back(browser, recorded) -> None:
    voter = Voter.objects.get()
    voter.revoked_at = voter.created_at
    voter.save()
    assert press(browser, recorded, "undo").status_code == 403
    assert Ticket.objects.count() == 1


def test_a_volunteer_may_be_told_at_once(browser) -> None:
    poll = ready_poll("duel", contestants=3)
    browser.get("/polls/duel/")
    Voter.objects.update(settings={"always_reveal": True})
    location = answer(browser, poll, outcome="1")["Location"]
    assert RUN in browser.get(location).content.decode()
    assert press(browser, location, "undo").status_code == 409


def test_a_retry_of_an_answer_taken_back_writes_nothing(browser, recorded) -> None:
    press(browser, recorded, "undo")
    voter = Voter.objects.get()
    first = Ticket.objects.order_by("pk").first()
    assert cast(first.token, "1", voter).outcome == "2"
    assert Vote.objects.count() == 1
