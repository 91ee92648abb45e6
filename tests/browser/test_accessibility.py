"""axe-core finds nothing serious on any page, at three widths, light and dark."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena, serious

pytestmark = pytest.mark.browser
WIDTHS = [360, 768, 1440]
COLOURS = ("color-contrast", "link-in-text-block", "target-size")
"""What may differ between light and dark."""
FOCUSED = "(e => (e.getAttribute('aria-label') || e.innerText).trim().split(/\\s/)[0])(document.activeElement)"


def record(page: Page) -> None:
    """Answer one duel."""
    page.goto("/polls/duel/")
    page.get_by_alt_text("Left").click()
    expect(page).to_have_url(re.compile("/votes/"))


def reveal(page: Page) -> None:
    record(page)
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("figcaption a").first).to_be_visible()


def rank(page: Page) -> None:
    page.goto("/polls/ffa/")
    page.get_by_text("Rank all four instead").click()


def enlarge(page: Page) -> None:
    page.goto("/polls/fixed/")
    page.keyboard.press("v")
    expect(page.get_by_role("dialog")).to_be_visible()


def collide(page: Page) -> None:
    page.goto("/settings/")
    page.get_by_label("Draw", exact=True).press("s")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def checkpoint(page: Page) -> None:
    page.goto("/boards/trueskill/duel/")
    page.locator("th.contestant a").first.click()
    expect(page).to_have_url(re.compile(r"/checkpoints/\w+/"))


def side_by_side(page: Page) -> None:
    page.goto("/side-by-side/")
    for box in page.get_by_role("checkbox").all()[:3]:
        box.check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".sides td a").first).to_be_visible()


def subtract(page: Page) -> None:
    side_by_side(page)
    page.locator(".sides td a").first.click()
    page.get_by_role("button", name="Difference").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def one_image(page: Page) -> None:
    checkpoint(page)
    page.locator(".samples a").first.click()
    expect(page).to_have_url(re.compile(r"/samples/\d+/$"))


def difference(page: Page) -> None:
    one_image(page)
    page.locator(".samples a").first.click()
    expect(page).to_have_url(re.compile(r"/samples/\d+/less/\d+/"))


def compare(page: Page) -> None:
    page.goto("/compare/")
    form = page.locator("form").filter(has=page.get_by_role("heading", name="Is B better than A?"))
    form.locator("select[name=a]").select_option(label="secret-run-duel epoch 1")
    form.locator("select[name=b]").select_option(label="secret-run-duel epoch 2")
    form.get_by_role("button").click()
    expect(page.locator(".answer")).to_be_visible()


def best_epoch(page: Page) -> None:
    page.goto("/compare/")
    form = page.locator("form").filter(has=page.get_by_role("heading", name="Which epoch"))
    form.locator("select[name=run]").select_option("secret-run-duel")
    form.locator("select[name=reference]").select_option(label="secret-run-duel epoch 1")
    form.get_by_role("button").click()
    expect(page.locator(".answer")).to_be_visible()


PLACES: dict[str, str | Callable[[Page], None]] = {
    "home": "/",
    "fixed": "/polls/fixed/",
    "duel": "/polls/duel/",
    "ranking": rank,
    "recorded": record,
    "reveal": reveal,
    "enlarged": enlarge,
    "settings": "/settings/",
    "collision": collide,
    "me": "/me/",
    "account": "/account/",
    "new account": "/account/new",
    "privacy": "/privacy/",
    "boards": "/boards/trueskill/duel/",
    "board from elsewhere": "/boards/external/other-arena/elo/",
    "status": "/status/",
    "evaluation": "/evaluations/1/",
    "checkpoint": checkpoint,
    "checkpoints": "/checkpoints/",
    "side by side": side_by_side,
    "subtracted": subtract,
    "one image": one_image,
    "difference": difference,
    "compare": compare,
    "best epoch": best_epoch,
    "unknown checkpoint": "/side-by-side/?checkpoint=nobody",
    "unknown poll": "/polls/nope/",
    "unknown page": "/nope/",
}


@pytest.mark.parametrize("place", PLACES)
def test_nothing_serious_at_any_width_light_or_dark(arena: Arena, place: str) -> None:
    with arena.window(veteran=place == "me") as page:
        where = PLACES[place]
        if isinstance(where, str):
            page.goto(where)
        else:
            where(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="light")
            assert serious(page) == [], f"{width} px"
            page.emulate_media(color_scheme="dark")
            assert serious(page, *COLOURS) == [], f"{width} px, dark"
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_nothing_serious_in_other_languages(arena: Arena, language: str) -> None:
    with arena.window(locale=language) as page:
        page.set_viewport_size({"width": 360, "height": 740})
        for where in (
            "/",
            "/polls/fixed/",
            "/settings/",
            "/me/",
            "/account/new",
            "/privacy/",
            "/boards/trueskill/duel/",
            "/boards/external/other-arena/",
            "/evaluations/1/",
        ):
            page.goto(where)
            expect(page.locator("html")).to_have_attribute("lang", language)
            assert serious(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, where


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_reasons_for_skipping_stay_within_their_row(arena: Arena, language: str, width: int) -> None:
    ends = "[...document.querySelectorAll('.booth-actions, #reason')].map(e => e.getBoundingClientRect().right)"
    with arena.window(locale=language, viewport={"width": width, "height": 740}) as page:
        page.goto("/polls/ffa/")
        row, reasons = page.evaluate(ends)
        assert reasons <= row + 0.5


def test_the_order_of_the_focus_is_that_of_the_page(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/polls/fixed/")
        order = []
        for _ in range(18):
            page.keyboard.press("Tab")
            order.append(page.evaluate(FOCUSED))
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert order[0] == "Skip"
        wanted = ["Left", "Enlarge:", "Right", "Enlarge:", "Draw", "Both", "Skip"]
        assert order[order.index("Left") : order.index("Left") + 7] == wanted
