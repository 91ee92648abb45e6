import re

import pytest
from django.test import Client

from arena.votes.keys import DEFAULTS, KeyRefused, check_keys, keys_of, parse_key
from arena.votes.models import Voter
from arena.votes.voters import COOKIE
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


def form(**changes: str) -> dict[str, str]:
    """What the untouched form sends, with changes."""
    return {f"key_{name}": key for name, key in DEFAULTS.items()} | {"theme": "", "language": "en"} | changes


def token(browser: Client) -> dict[str, str]:
    page = browser.get("/settings/").content.decode()
    return {"csrfmiddlewaretoken": re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]}


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("a", "a"),
        (" A ", "a"),
        ("", ""),
        ("←", "ArrowLeft"),
        ("arrowup", "ArrowUp"),
        ("ä", "ä"),
        ("한", "한"),
        ('"', '"'),
    ],
)
def test_a_key_is_one_character_or_an_arrow(typed: str, key: str) -> None:
    assert parse_key(typed) == key


@pytest.mark.parametrize("typed", ["ab", "Enter", "escape", "TAB", "space", "backspace", "\x00", "a b", "F1"])
def test_other_keys_are_refused(typed: str) -> None:
    with pytest.raises(KeyRefused):
        parse_key(typed)


def test_actions_that_share_a_key_are_named_to_each_other() -> None:
    _, errors = check_keys(DEFAULTS | {"draw": "s"})
    assert errors == {"draw": "The same key as: Skip.", "skip": "The same key as: Draw."}


def test_switched_off_keys_do_not_collide() -> None:
    assert check_keys(dict.fromkeys(DEFAULTS, ""))[1] == {}


def test_settings_are_kept_and_make_the_voter(browser) -> None:
    response = browser.post("/settings/", token(browser) | form(key_draw="X", always_reveal="on", theme="dark"))
    assert response.status_code == 303
    voter = Voter.objects.get()
    assert voter.settings == {"always_reveal": True, "keys": {"draw": "x"}}
    assert browser.cookies[COOKIE].value.startswith(voter.key)
    page = browser.get("/settings/?saved").content.decode()
    assert 'data-theme="dark"' in page
    assert 'role="status"' in page
    assert 'name="key_draw" value="X"' in page


def test_other_settings_of_the_voter_stay(browser) -> None:
    ready_poll("fixed", contestants=2)
    browser.get("/polls/fixed/")
    Voter.objects.update(settings={"elsewhere": 1})
    browser.post("/settings/", token(browser) | form())
    assert Voter.objects.get().settings == {"elsewhere": 1, "always_reveal": False, "keys": {}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_draw": "s"}, "The same key as: Skip."),
        ({"key_draw": "Enter"}, "keeps its own meaning"),
        ({"key_draw": "wrong"}, "Type one character"),
        ({"theme": "pink"}, "There is no such theme."),
        ({"language": "tlh"}, "There is no such language."),
    ],
)
def test_a_wrong_field_is_said_and_nothing_is_kept(change: dict[str, str], words: str, browser) -> None:
    response = browser.post("/settings/", token(browser) | form(**change, always_reveal="on"))
    assert response.status_code == 400
    page = response.content.decode()
    assert words in page
    assert "checked aria-describedby" in page, "what was chosen is still there"
    assert not Voter.objects.exists()


def test_the_usual_keys_come_back_with_one_button(browser) -> None:
    browser.post("/settings/", token(browser) | form(key_draw="x"))
    browser.post("/settings/", token(browser) | form(key_draw="s", keys="default"))
    assert Voter.objects.get().settings["keys"] == {}


def test_the_booth_shows_and_takes_the_chosen_keys(browser) -> None:
    ready_poll("fixed", contestants=2)
    browser.post("/settings/", token(browser) | form(key_seat_1="q", key_right=""))
    page = browser.get("/polls/fixed/").content.decode()
    assert re.findall(r'data-keys="([^"]*)" data-seat', page) == ["q ArrowLeft ", "2 "]
    assert '<kbd aria-hidden="true">Q</kbd>' in page


@pytest.mark.parametrize(
    "broken", [{"keys": "x"}, {"keys": {"draw": 4}}, {"keys": {"draw": "q", "bad": "q"}}, {"keys": {"no": "n"}}, []]
)
def test_broken_settings_count_as_never_chosen(broken: object) -> None:
    voter = Voter(settings=broken)
    assert {name: binding.code for name, binding in keys_of(voter).items()} == DEFAULTS


def test_a_chosen_key_is_not_lost_to_an_action_that_came_later() -> None:
    keys = {name: binding.code for name, binding in keys_of(Voter(settings={"keys": {"draw": "t"}})).items()}
    assert keys == DEFAULTS | {"draw": "t", "tie": ""}


def test_the_language_is_kept_in_a_cookie(browser) -> None:
    browser.post("/settings/", token(browser) | form(language="ko"))
    assert '<html lang="ko"' in browser.get("/").content.decode()
    foreign = Client(headers={"cookie": "django_language=tlh; arena_theme=pink"})
    assert '<html lang="en">' in foreign.get("/").content.decode()


def test_settings_need_their_token(browser) -> None:
    assert browser.post("/settings/", form()).status_code == 403
    assert not Voter.objects.exists()
