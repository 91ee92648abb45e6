"""What makes voting pleasant, in a real Chromium: enlarging, the next matchup at hand, settings, languages."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser


def test_images_are_enlarged_and_put_back_by_keyboard(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/polls/duel/")
        page.keyboard.press("v")
        dialog = page.get_by_role("dialog", name="Left")
        expect(dialog).to_be_visible()
        expect(dialog.locator("[data-zoom-size]")).to_have_text(re.compile(r"\d+ × \d+"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("dialog", name="Right")).to_be_visible()
        page.keyboard.press("1")
        page.keyboard.press("s")
        expect(page.get_by_role("dialog", name="Right")).to_be_visible()
        page.get_by_role("button", name="100 %").click()
        natural = page.locator("[data-zoom-image]").evaluate("i => [i.width, i.naturalWidth]")
        assert natural[0] == natural[1]
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("link", name="Enlarge: Right")).to_be_focused()
        expect(page).to_have_url(re.compile("/polls/duel/"))


def test_without_javascript_enlarging_is_a_link_to_the_image(arena: Arena) -> None:
    with arena.window(script=False) as page:
        page.goto("/polls/duel/")
        page.get_by_role("link", name="Enlarge: Left").click()
        expect(page).to_have_url(re.compile(r"/images/[\w-]+\.png"))
        page.go_back()
        expect(page.get_by_alt_text("Left")).to_be_visible()


@pytest.mark.parametrize("kind", ["fixed", "ffa"])
def test_the_next_matchup_is_there_already(arena: Arena, kind: str) -> None:
    with arena.window() as page:
        page.goto(f"/polls/{kind}/")
        first = ticket(page)
        seats = page.locator(".seat").count()
        page.keyboard.press("1")
        expect(page.locator("[data-next][data-ready]")).to_have_attribute("data-ready", str(seats))
        assert "secret-run" not in page.content()
        loads: list[str] = []
        page.on("request", lambda request: loads.append(request.resource_type))
        page.keyboard.press("n")
        expect(page).to_have_url(re.compile(f"/polls/{kind}/"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("Which image")
        page.wait_for_function("[...document.querySelectorAll('.seat img')].every(image => image.complete)")
        shown = ticket(page)
        assert shown != first
        page.wait_for_load_state("networkidle")
        assert not {"document", "image"} & set(loads)
        assert loads.count("fetch") == 1, "the message that it is looked at"
        assert ticket(page) == shown
        page.reload()
        assert ticket(page) == shown
        page.keyboard.press("2")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Recorded")
        assert arena.votes(page) == ["1", "2"]


def test_a_matchup_answered_elsewhere_meanwhile_is_not_shown(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/polls/duel/")
        page.keyboard.press("1")
        page.locator("[data-next][data-ready]").wait_for()
        other = page.context.new_page()
        other.goto("/polls/duel/")
        stale = ticket(other)
        other.keyboard.press("1")
        expect(other.get_by_role("heading", level=1)).to_contain_text("Recorded")
        page.bring_to_front()
        page.keyboard.press("n")
        expect(page.locator("input[name=ticket]").first).not_to_have_value(stale)


def test_back_never_shows_an_answered_matchup(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/polls/duel/")
        first = ticket(page)
        page.keyboard.press("1")
        page.locator("[data-next][data-ready]").wait_for()
        page.keyboard.press("n")
        expect(page.locator("input[name=ticket]").first).not_to_have_value(first)
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Recorded")
        page.go_back()
        expect(page.locator("input[name=ticket]").first).not_to_have_value(first)


def ticket(page: Page) -> str:
    return page.locator("input[name=ticket]").first.input_value()


def test_keys_are_chosen_refused_when_shared_and_put_back(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/settings/")
        page.get_by_label("Draw", exact=True).press("x")
        page.get_by_label("Skip", exact=True).press("x")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
        expect(page.get_by_label("Draw", exact=True)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text("The same key as: Skip.")).to_be_visible()
        page.get_by_label("Skip", exact=True).press("ArrowUp")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Saved.")
        page.goto("/polls/fixed/")
        expect(page.get_by_role("button", name="Draw").locator("kbd")).to_have_text("X")
        page.keyboard.press("d")
        expect(page).to_have_url(re.compile("/polls/fixed/"))
        page.keyboard.press("x")
        expect(page).to_have_url(re.compile("/votes/"))
        assert arena.votes(page) == ["1=2"]
        page.goto("/settings/")
        page.get_by_role("button", name="Save with the usual keys").click()
        expect(page.get_by_label("Draw", exact=True)).to_have_value("D")


def test_names_at_once_for_those_who_want_it(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/settings/")
        page.get_by_label("Always show at once who it was").check()
        page.get_by_role("button", name="Save", exact=True).click()
        page.goto("/polls/duel/")
        page.keyboard.press("2")
        expect(page.locator("figcaption").first).to_contain_text("secret-run-duel")
        assert page.get_by_role("button", name="Undo").count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_light_and_dark_by_choice(arena: Arena, script: bool) -> None:
    with arena.window(script=script, color_scheme="light") as page:
        page.goto("/settings/")
        before = ground(page) if script else ""
        page.get_by_label("Dark").check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.goto("/")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert not script or ground(page) != before


def ground(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("script", [True, False])
def test_languages_are_switched_on_every_page_and_kept(arena: Arena, script: bool) -> None:
    with arena.window(script=script) as page:
        page.goto("/polls/duel/")
        page.get_by_role("button", name="日本語").click()
        expect(page).to_have_url(re.compile("/polls/duel/"))
        expect(page.locator("html")).to_have_attribute("lang", "ja")
        expect(page.get_by_role("heading", level=1)).to_have_text("どちらの画像が良いですか？")
        page.get_by_role("button", name="한국어").click()
        page.get_by_alt_text("왼쪽").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("내 선택을 기록했습니다")


def test_the_browsers_language_is_understood(arena: Arena) -> None:
    with arena.window(locale="ja-JP") as page:
        page.goto("/")
        expect(page.locator("html")).to_have_attribute("lang", "ja")


@pytest.mark.parametrize("script", [True, False])
def test_an_image_is_flagged_and_the_matchup_gone(arena: Arena, script: bool) -> None:
    with arena.window(script=script) as page:
        page.goto("/polls/ffa/")
        first = ticket(page)
        page.get_by_text("Something wrong with an image?").click()
        page.get_by_label("What is wrong").select_option("not-an-image")
        page.get_by_role("button", name="Flag: Image 3").click()
        expect(page.locator("input[name=ticket]").first).not_to_have_value(first)
        assert arena.votes(page) == ["skip"]


def test_thirty_votes_make_a_ranking(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/me/")
        expect(page.locator("main")).to_contain_text("0 of 30 votes")
    with arena.window(veteran=True) as page:
        page.goto("/me/")
        expect(page.locator("tbody tr")).to_have_count(3)
        expect(page.locator("main")).to_contain_text("Made of your 32 votes alone")
