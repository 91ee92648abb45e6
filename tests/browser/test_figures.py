"""Every figure's page in a real Chromium: its numbers are those of the command, nothing overlaps, axe is content."""

import csv
import json
from io import StringIO

import pytest
from playwright.sync_api import Page, expect

from tests.browser.arena_site import Arena, serious

pytestmark = pytest.mark.browser
BOARDS = [*((metric, "") for metric in ("trueskill", "elo", "elo-twa", "joint", "winrate")), ("elo-twa", "fixed")]
COMMANDS = f"""
import django
django.setup()
from django.core.management import call_command
for metric, poll in {BOARDS}:
    call_command("leaderboard", metric=metric, poll=poll or None, format="json")
    print("----")
"""
PAGES = {
    "list": "/figures/",
    "trueskill": "/figures/ratings/?metric=trueskill",
    "fixed": "/figures/ratings/?metric=elo&poll=fixed",
    "ccip": "/figures/ratings/?metric=ccip-difference",
    "trend": "/figures/trend/?run=watercolour",
    "history": "/figures/history/?metric=elo",
    "wins": "/figures/wins/",
    "seats": "/figures/seats/",
    "agreement": "/figures/agreement/",
}
# Texts of the shown pictures that leave them or run into another, and a page that scrolls sideways.
COLLISIONS = """() => {
  const bad = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const texts = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([said, box], at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)
        bad.push(`outside: ${said}`);
      for (const [other, its] of texts.slice(0, at))
        if (Math.min(box.right, its.right) - Math.max(box.left, its.left) > 1 &&
            Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top) > 3)
          bad.push(`${said} over ${other}`);
    });
  }
  return bad;
}"""


def shown_table(page: Page, name: str) -> list[list[str]]:
    return page.evaluate(
        "name => [...document.querySelectorAll(`#table-${name} tbody tr`)]"
        ".map(row => [...row.cells].map(cell => cell.textContent))",
        name,
    )


def spelled(number: float, digits: int) -> str:
    return f"{number:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


@pytest.fixture(scope="module")
def boards(rated: Arena) -> dict[tuple[str, str], list[dict]]:
    """What `manage.py leaderboard --format json` prints of each board."""
    printed = rated.site.command("-c", COMMANDS).split("----\n")
    return {board: json.loads(text) for board, text in zip(BOARDS, printed, strict=False)}


@pytest.mark.parametrize(("metric", "poll"), BOARDS)
def test_ratings_are_those_of_the_command(rated: Arena, boards: dict, metric: str, poll: str) -> None:
    rows = boards[metric, poll]
    with rated.window() as page:
        page.goto(f"/figures/ratings/?metric={metric}&poll={poll}")
        digits = 1 if metric in {"trueskill", "winrate"} else 0
        expected = [[row["contestant"], spelled(row["value"], digits), str(row["votes"])] for row in rows]
        assert [[row[1], row[4], row[7]] for row in shown_table(page, "ratings")] == expected
        drawn = page.locator("figure .wide svg text[text-anchor=end]").all_text_contents()
        assert drawn == [row[1] for row in expected], "the picture says the same"
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV", exact=True).click()
        lines = list(csv.DictReader(StringIO(download.value.path().read_text())))
        assert [float(line["value"]) for line in lines] == [row["value"] for row in rows]


def test_the_trend_is_that_of_the_command_and_answers_questions(rated: Arena) -> None:
    told = json.loads(rated.site.manage("figure", "trend", "--run", "watercolour", "--format", "json"))
    with rated.window() as page:
        page.goto(PAGES["trend"])
        shown = shown_table(page, "epochs")
        assert [row[2] for row in shown] == [
            spelled(row["gain"], 0).replace("\N{MINUS SIGN}0", "0") for row in told["epochs"]
        ]
        assert page.locator("figure .wide svg circle").count() == len(shown) == 13
        page.get_by_label("Is epoch", exact=True).select_option("12")
        page.get_by_label("better than", exact=True).select_option("8")
        page.get_by_role("button", name="Ask").click()
        pair = next(row for row in told["pairs"] if (row["epoch"], row["against"]) == ("12", "8"))
        expect(page.locator(".answer")).to_have_attribute("data-verdict", pair["verdict"])
        expect(page.locator(".answer")).to_contain_text(f"{spelled(pair['difference'], 0)} points")


def test_disagreements_show_their_images(rated: Arena) -> None:
    with rated.window() as page:
        page.goto(PAGES["agreement"])
        image = page.locator(".disputes img").first
        image.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('.disputes img').naturalWidth > 0")
        assert page.locator(".disputes > li").count() == 8
        expect(page.locator(".disputes h3").first).to_contain_text("epoch 4")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps_and_nothing_serious_at_any_width_light_or_dark(rated: Arena, name: str) -> None:
    with rated.window() as page:
        for width, theme in ((360, "light"), (768, None), (1440, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            page.goto(PAGES[name])
            assert page.evaluate(COLLISIONS) == [], width
            assert theme is None or serious(page) == [], (width, theme)


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_pictures_speak_the_visitors_language(rated: Arena, language: str) -> None:
    with rated.window(locale=language) as page:
        for path in ("/figures/wins/", "/figures/trend/?run=watercolour", "/figures/seats/"):
            page.goto(path)
            assert page.evaluate(COLLISIONS) == []
            said = page.locator("figure .wide svg desc").text_content() or ""
            assert any(ord(letter) > 0x3000 for letter in said)
