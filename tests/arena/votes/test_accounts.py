"""Optional accounts: made, entered and left; several browsers with one history."""

import random
import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from arena.polls.models import Poll
from arena.votes import limits
from arena.votes.accounts import join
from arena.votes.casting import cast, issue_ticket, seen_groups
from arena.votes.limits import SIGN_INS_A_MINUTE
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from arena.votes.pages import progress_of
from arena.votes.personal import personal_ranking, reveal_all
from arena.votes.refusals import RevokedVoter
from arena.votes.revoking import revoke, unrevoke
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db
PASSWORD = "brush-and-ink-41"
NEW = {"username": "mei", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """All browsers here have the same address."""
    cache.clear()


@pytest.fixture
def poll() -> Poll:
    return ready_poll("duel", contestants=3, prompts=20)


def window() -> Client:
    """A browser without history that checks forms' tokens."""
    return Client(enforce_csrf_checks=True)


def send(browser: Client, path: str, form: str = "/account/", **fields: str):
    """Post a form with the token of the page that holds it."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(form).content.decode())
    return browser.post(path, {**fields, "csrfmiddlewaretoken": token.group(1)})


def sign_up(browser: Client, **fields: str):
    return send(browser, "/account/new", "/account/new", **(NEW | fields))


def sign_in(browser: Client, password: str = PASSWORD):
    return send(browser, "/account/in", "/account/in", username="mei", password=password)


def vote(browser: Client) -> str:
    """Answer one duel; its ticket."""
    ticket = re.search(r'name="ticket" value="([^"]+)"', browser.get("/polls/duel/").content.decode()).group(1)
    assert send(browser, "/polls/duel/vote", "/polls/duel/", ticket=ticket, outcome="1").status_code == 303
    return ticket


def holder(ticket: str) -> Voter:
    return Ticket.objects.get(token=ticket).voter


def test_votes_before_and_after_signing_up_are_one_history_on_two_browsers(poll) -> None:
    here, there = window(), window()
    first = vote(here)
    assert sign_up(here).headers["Location"] == "/account/"
    assert holder(first).user.username == "mei"
    second = vote(there)
    assert sign_in(there).status_code == 302
    assert holder(second).user == holder(first).user
    assert holder(second) != holder(first)
    for browser in (here, there):
        assert "2 of 20 votes" in browser.get("/polls/duel/").content.decode()
        assert "2 of 30 votes" in browser.get("/me/").content.decode()
        assert "holds 2 answers" in browser.get("/account/").content.decode()


def test_a_browser_without_a_voter_goes_on_as_one_of_the_account(poll) -> None:
    here, there = window(), window()
    first = vote(here)
    sign_up(here)
    sign_in(there)
    assert holder(vote(there)) == holder(first)
    there.cookies.pop("arena_voter")
    assert holder(vote(there)) == holder(first)
    assert Voter.objects.count() == 1


def test_signing_out_leaves_a_browser_of_nobody(poll) -> None:
    browser = window()
    first = vote(browser)
    sign_up(browser)
    send(browser, "/account/out")
    assert holder(vote(browser)) != holder(first)
    assert holder(vote(browser)).user is None


def test_votes_of_another_account_are_left_alone(poll) -> None:
    browser = window()
    first = vote(browser)
    sign_up(browser)
    sign_up(browser, username="goro")
    assert holder(first).user.username == "mei"
    assert holder(vote(browser)).user.username == "goro"


def test_keys_come_along_and_own_ones_stay() -> None:
    account = User.objects.create(username="mei")
    join(account, Voter.objects.create(settings={"keys": {"draw": "q"}}))
    fresh = join(account, Voter.objects.create())
    own = join(account, Voter.objects.create(settings={"always_reveal": True}))
    assert fresh.settings == {"keys": {"draw": "q"}}
    assert own.settings == {"always_reveal": True}


def test_the_same_images_answered_on_two_browsers_count_once() -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    account = User.objects.create(username="mei")
    voters = [Voter.objects.create() for _ in range(2)]
    votes = [cast(issue_ticket(poll, one, random.Random(3)).token, "1", one) for one in voters]
    for one in voters:
        join(account, one)
    excluded = VoteExclusion.objects.get()
    assert (excluded.vote, excluded.rule) == (votes[1], "duplicate")
    assert f"vote {votes[0].number} of the same account" in excluded.reason


def test_who_is_revoked_on_one_browser_votes_on_no_other_of_the_account(poll) -> None:
    account = User.objects.create(username="mei")
    voters = [join(account, Voter.objects.create()) for _ in range(2)]
    ticket = issue_ticket(poll, voters[1], random.Random(1))
    revoke(voters[0], "always left")
    with pytest.raises(RevokedVoter, match="always left"):
        cast(ticket.token, "1", voters[1])
    with pytest.raises(RevokedVoter):
        issue_ticket(poll, voters[1], random.Random(1))
    unrevoke(voters[0])
    assert cast(ticket.token, "1", voters[1]).outcome == "1"


def test_history_is_that_of_all_voters_of_the_account(poll) -> None:
    account = User.objects.create(username="mei")
    voters = [join(account, Voter.objects.create()) for _ in range(2)]
    for turn in range(30):
        one = voters[turn % 2]
        cast(issue_ticket(poll, one, random.Random(turn)).token, "1", one)
    assert [progress_of(poll, one).done for one in voters] == [30, 30]
    assert len(seen_groups(poll, voters[0])) == 30
    assert personal_ranking(voters[0]).hidden == 30
    assert reveal_all(voters[1]) == 30
    assert personal_ranking(voters[0]).places != []


def test_a_wrong_password_says_so_and_guessing_is_slowed_down(monkeypatch) -> None:
    monkeypatch.setattr(limits.time, "time", lambda: 60.0 * 1_000_000 + 20)
    browser = window()
    sign_up(browser)
    send(browser, "/account/out")
    refused = sign_in(browser, "guess")
    assert refused.status_code == 400
    assert "correct username and password" in refused.content.decode()
    for _ in range(SIGN_INS_A_MINUTE):
        last = sign_in(browser, "guess")
    assert last.status_code == 429
    assert last.headers["Retry-After"] == "40"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password1": "12345678", "password2": "12345678"}, "too common"),
        ({"password2": "another-one-41"}, "match"),
        ({"username": "<b>"}, "valid username"),
        ({"username": ""}, "required"),
        ({"username": "a\0b"}, "Null characters"),
    ],
)
def test_a_wrong_field_is_said_and_nothing_is_made(fields, said) -> None:
    refused = sign_up(window(), **fields)
    assert refused.status_code == 400
    assert said in refused.content.decode()
    assert not User.objects.exists()
    assert not Voter.objects.exists()


def test_the_password_is_changed_by_who_knows_it() -> None:
    browser = window()
    assert browser.get("/account/password").headers["Location"] == "/account/in"
    sign_up(browser)
    new = {"new_password1": "other-brush-41", "new_password2": "other-brush-41"}
    path = "/account/password"
    assert send(browser, path, path, old_password="guess", **new).status_code == 400
    assert send(browser, path, path, old_password=PASSWORD, **new).status_code == 302
    assert "signed in as" in browser.get("/account/").content.decode()
    assert User.objects.get().check_password("other-brush-41")


def test_a_deleted_account_leaves_its_votes_without_a_name(poll) -> None:
    browser = window()
    ticket = vote(browser)
    sign_up(browser)
    assert send(browser, "/account/end").status_code == 302
    assert not User.objects.exists()
    assert holder(ticket).user is None
    assert Vote.objects.count() == 1
    assert "Make an account" in browser.get("/account/").content.decode()


def test_who_signed_in_elsewhere_joins_by_a_button_and_staff_is_not_deleted(poll) -> None:
    browser = window()
    ticket = vote(browser)
    browser.force_login(User.objects.create(username="admin", is_staff=True))
    assert "does not vote for the account yet" in browser.get("/account/").content.decode()
    send(browser, "/account/join")
    assert holder(ticket).user.username == "admin"
    send(browser, "/account/end")
    assert User.objects.exists()
