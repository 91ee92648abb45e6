"""Checkpoints side by side in a real Chromium: choosing, flipping through, subtracting; also without a script."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser


def choose_two(page: Page) -> None:
    """The first two epochs of the run of the duel's contestants."""
    page.goto("/checkpoints/")
    run = page.locator(".branch", has=page.get_by_role("link", name="secret-run-duel"))
    run.get_by_role("checkbox", name="epoch 1").check()
    run.get_by_role("checkbox", name="epoch 2").check()
    page.get_by_role("button", name="Show side by side").click()
    expect(page.locator(".sides thead th")).to_have_count(2)


def test_images_are_flipped_through_in_place_and_subtracted_by_keyboard(arena: Arena) -> None:
    with arena.window() as page:
        choose_two(page)
        page.locator(".sides td a").nth(2).click()
        dialog = page.get_by_role("dialog")
        image = dialog.locator("[data-zoom-image]")
        expect(dialog).to_have_accessible_name(re.compile("secret-run-duel epoch 1: 1girl"))
        place, first = image.bounding_box(), image.get_attribute("src")
        page.keyboard.press("ArrowRight")
        expect(dialog).to_have_accessible_name(re.compile("secret-run-duel epoch 2: 1girl"))
        assert image.bounding_box() == place
        assert image.get_attribute("src") != first
        page.keyboard.press("d")
        expect(dialog.get_by_role("button", name="Difference")).to_have_attribute("aria-pressed", "true")
        expect(image).to_have_attribute("src", re.compile(r"/samples/\d+/less/\d+\.png\?gain=4"))
        page.keyboard.press("ArrowLeft")
        expect(image).to_have_attribute("src", first)
        page.keyboard.press("ArrowDown")
        expect(image).not_to_have_attribute("src", first)
        expect(dialog).to_have_accessible_name(re.compile("secret-run-duel epoch 1: 1girl"))
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.locator(".sides td a").nth(4)).to_be_focused()


def test_one_image_is_wiped_over_the_other(arena: Arena) -> None:
    with arena.window() as page:
        choose_two(page)
        page.locator(".sides td a").nth(1).click()
        page.get_by_role("link", name="All about it").click()
        expect(page.get_by_role("heading", name="Render it again")).to_be_visible()
        page.locator(".samples a").first.click()
        top = page.locator("[data-wipe-top]")
        expect(top).to_have_css("clip-path", re.compile(r"\b50%"))
        page.get_by_role("slider").press("End")
        expect(top).to_have_css("clip-path", re.compile(r"\b0%"))


def test_without_a_script_everything_is_a_link_or_a_form(arena: Arena) -> None:
    with arena.window(script=False) as page:
        choose_two(page)
        page.locator("select[name=less]").select_option(index=1)
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".sides img.difference").first).to_be_visible()
        loaded = page.locator(".sides img.difference").first.get_attribute("src")
        answer = page.request.get(loaded)
        assert answer.headers["content-type"] == "image/png"
        page.locator(".sides td a", has=page.locator(".difference")).first.click()
        expect(page.get_by_role("heading", name="What differs")).to_be_visible()
        expect(page.locator("[data-wipe]")).to_be_hidden()
        page.get_by_role("link", name="× 16").click()
        expect(page.locator("img.difference")).to_have_attribute("src", re.compile("gain=16"))
        page.go_back()
        page.go_back()
        page.get_by_role("link", name="Leave out secret-run-duel epoch 1").click()
        expect(page.locator(".sides thead th")).to_have_count(1)
