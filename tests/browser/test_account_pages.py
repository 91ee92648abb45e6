"""An account in a real Chromium: votes of two browsers become one history."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser
PASSWORD = "brush-and-ink-41"


def vote(page: Page) -> None:
    page.goto("/polls/fixed/")
    page.get_by_alt_text("Left").click()
    expect(page).to_have_url(re.compile("/votes/"))


def send(page: Page, button: str, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#id_{name}").fill(value)
    page.get_by_role("button", name=button).click()


@pytest.mark.parametrize("script", [True, False])
def test_two_browsers_become_one_history_and_part_again(arena: Arena, script: bool) -> None:
    name = f"mei{script}"
    with arena.window(script=script) as here, arena.window(touch=True) as there:
        vote(here)
        here.goto("/me/")
        here.get_by_role("link", name="Vote on several devices?").click()
        expect(here.get_by_text("The 1 answer of this browser will be part of it")).to_be_visible()
        here.get_by_role("link", name="Make an account").click()
        send(here, "Make an account", username=name, password1=PASSWORD, password2="another")
        expect(here.get_by_role("alert")).to_be_visible()
        send(here, "Make an account", username=name, password1=PASSWORD, password2=PASSWORD)
        expect(here.get_by_text(f"signed in as {name}")).to_be_visible()
        vote(there)
        there.goto("/account/in")
        assert there.evaluate("document.documentElement.scrollWidth") <= 360
        send(there, "Sign in", username=name, password=PASSWORD)
        expect(there.get_by_text("holds 2 answers")).to_be_visible()
        for page in (here, there):
            page.goto("/polls/fixed/")
            expect(page.locator(".goal")).to_contain_text("2 of 4 votes")
        there.goto("/account/")
        there.get_by_role("button", name="Sign out").click()
        there.goto("/polls/fixed/")
        expect(there.locator(".goal")).to_contain_text("0 of 4 votes")
