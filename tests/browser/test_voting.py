"""Voting in a real Chromium: by keyboard alone, by touch on a small screen, and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser
LEAST = 24
"""CSS pixels, WCAG 2.2 target size."""


def ready(page: Page, kind: str) -> None:
    """Open a poll and wait for its images."""
    page.goto(f"/polls/{kind}/")
    expect(page.locator(".seat img").first).to_be_visible()


def recorded(page: Page) -> None:
    expect(page).to_have_url(re.compile("/votes/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Recorded")
    assert "secret-run" not in page.content()


@pytest.mark.parametrize(
    ("kind", "keys", "outcome"),
    [
        ("fixed", ["1"], "1"),
        ("fixed", ["ArrowRight"], "2"),
        ("fixed", ["d"], "1=2"),
        ("fixed", ["b"], "bad"),
        ("duel", ["ArrowLeft"], "1"),
        ("duel", ["2"], "2"),
        ("duel", ["s"], "skip"),
        ("fixed", ["s"], "skip"),
        ("ffa", ["s"], "skip"),
        ("ffa", ["b"], "bad"),
        ("ffa", ["4"], "4"),
        ("ffa", ["r", "3", "1", "2", "Backspace", "4", "2", "Enter"], "3>1>4>2"),
        ("ffa", ["r", "t", "3", "t", "1", "2", "t", "4", "Enter"], "1=3>2=4"),
        ("ffa", ["r", "4", "t", "2", "t", "Backspace", "1", "t", "2", "t", "3", "Enter"], "4>1=2=3"),
    ],
)
def test_each_answer_by_keyboard_alone(arena: Arena, kind: str, keys: list[str], outcome: str) -> None:
    with arena.window() as page:
        ready(page, kind)
        for key in keys:
            page.keyboard.press(key)
        recorded(page)
        assert arena.votes(page) == [outcome]


def test_reveal_next_and_undo_by_keyboard(arena: Arena) -> None:
    with arena.window() as page:
        ready(page, "fixed")
        first = page.locator("input[name=ticket]").first.input_value()
        page.keyboard.press("1")
        recorded(page)
        page.keyboard.press("z")
        expect(page).to_have_url(re.compile("/polls/fixed/"))
        page.keyboard.press("2")
        recorded(page)
        page.keyboard.press("Enter")
        expect(page.locator("figcaption").first).to_contain_text("secret-run-fixed")
        expect(page.get_by_text("You are the first").or_(page.get_by_text("said the same"))).to_be_visible()
        assert page.get_by_role("button", name="Undo").count() == 0
        page.keyboard.press("n")
        expect(page).to_have_url(re.compile("/polls/fixed/"))
        assert page.locator("input[name=ticket]").first.input_value() != first
        assert arena.votes(page) == ["1 undone", "2"]


def test_keys_do_nothing_while_somebody_types(arena: Arena) -> None:
    with arena.window() as page:
        ready(page, "duel")
        page.get_by_label("Or type a prompt").press_sequentially("1girl, smile")
        expect(page).to_have_url(re.compile("/polls/duel/"))
        page.get_by_label("Reason for skipping").focus()
        page.keyboard.press("2")
        expect(page).to_have_url(re.compile("/polls/duel/"))


@pytest.mark.parametrize("kind", ["fixed", "duel", "ffa"])
def test_voting_by_touch_on_a_small_screen(arena: Arena, kind: str) -> None:
    with arena.window(touch=True) as page:
        ready(page, kind)
        fits(page)
        page.get_by_alt_text("Image 3" if kind == "ffa" else "Right").tap()
        recorded(page)
        fits(page)
        page.get_by_role("button", name="Reveal").tap()
        expect(page.locator("figcaption").first).to_contain_text("secret-run")
        fits(page)
        page.get_by_role("link", name="Next", exact=False).tap()
        expect(page).to_have_url(re.compile(f"/polls/{kind}/"))


def fits(page: Page) -> None:
    """Nothing sticks out sideways, and fingers can hit everything."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for target in page.locator("main :is(button, select, summary, a.button, a.enlarge)").all():
        box = target.bounding_box()
        if box and target.is_visible():
            assert min(box["width"], box["height"]) >= LEAST, target.evaluate("e => e.outerHTML")


def test_ranking_by_touch(arena: Arena) -> None:
    with arena.window(touch=True) as page:
        ready(page, "ffa")
        page.get_by_text("Rank all four instead").tap()
        for image in (2, 4, 1, 3):
            page.get_by_alt_text(f"Image {image}").tap()
        page.get_by_role("button", name="Send the ranking").tap()
        recorded(page)
        assert arena.votes(page) == ["2>4>1>3"]


@pytest.mark.parametrize("touch", [False, True])
def test_ranking_with_ties_by_mouse_and_touch(arena: Arena, touch: bool) -> None:
    with arena.window(touch=touch) as page:
        ready(page, "ffa")
        press = (lambda target: target.tap()) if touch else (lambda target: target.click())
        tie = page.get_by_role("button", name="Tie with the last")
        press(page.get_by_text("Rank all four instead"))
        expect(tie).to_be_disabled()
        press(page.get_by_alt_text("Image 2"))
        press(tie)
        press(page.get_by_alt_text("Image 4"))
        press(page.get_by_alt_text("Image 1"))
        press(page.get_by_alt_text("Image 3"))
        expect(page.locator("[data-badge]")).to_have_text(["3", "1", "4", "1"])
        fits(page) if touch else None
        press(page.get_by_role("button", name="Send the ranking"))
        recorded(page)
        assert arena.votes(page) == ["2=4>1>3"]


@pytest.mark.parametrize("kind", ["fixed", "duel", "ffa"])
def test_voting_without_javascript(arena: Arena, kind: str) -> None:
    with arena.window(script=False) as page:
        ready(page, kind)
        assert page.locator("main kbd").first.is_hidden()
        page.get_by_alt_text("Image 1" if kind == "ffa" else "Left").click()
        recorded(page)
        page.get_by_role("button", name="Undo").click()
        page.get_by_label("Reason for skipping").select_option("prompt")
        page.get_by_role("button", name="Skip").click()
        recorded(page)
        page.get_by_role("button", name="Reveal").click()
        expect(page.locator("figcaption").first).to_contain_text("secret-run")
        page.get_by_role("link", name="Next").click()
        expect(page).to_have_url(re.compile(f"/polls/{kind}/"))
        assert arena.votes(page) == ["1 undone", "skip"]


def test_ranking_with_ties_without_javascript(arena: Arena) -> None:
    with arena.window(script=False) as page:
        ready(page, "ffa")
        page.get_by_text("Rank all four instead").click()
        for image, rank in ((1, "2"), (2, "1"), (3, "2"), (4, "4")):
            page.locator(f"select[name=rank_{image}]").select_option(rank)
        page.get_by_role("button", name="Send the ranking").click()
        recorded(page)
        assert arena.votes(page) == ["2>1=3>4"]


def test_a_goal_reached_is_a_place_to_stop(arena: Arena) -> None:
    with arena.window() as page:
        for number in range(4):
            ready(page, "duel")
            expect(page.locator(".goal")).to_contain_text(f"{number} of 4 votes")
            page.keyboard.press("1")
            recorded(page)
        expect(page.get_by_text("good place to stop")).to_be_visible()
        page.get_by_role("link", name="Stop and see the boards").click()
        expect(page).to_have_url(re.compile("/boards/"))
