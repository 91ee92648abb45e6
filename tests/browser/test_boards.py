"""Every board in a real Chromium shows the numbers of `manage.py leaderboard --format json`."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from arena.leaderboard.printing import DIGITS
from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser
METRICS = ["trueskill", "elo", "elo-twa", "joint", "winrate", "ccip"]
DASH = "\N{EN DASH}"


def rows_of(arena: Arena, metric: str, poll: str | None) -> list[dict]:
    chosen = ["--poll", poll] if poll else []
    return json.loads(arena.site.manage("leaderboard", "--metric", metric, "--format", "json", *chosen))


def cells(page: Page, name: str) -> list[str]:
    return [text.strip() for text in page.locator(f".board tbody :is(td, th).{name}").all_inner_texts()]


@pytest.mark.parametrize("poll", [None, "duel"])
@pytest.mark.parametrize("metric", METRICS)
def test_a_board_shows_the_numbers_of_the_command(arena: Arena, metric: str, poll: str | None) -> None:
    if metric == "ccip" and poll:
        pytest.skip("nobody votes on it")
    rows = rows_of(arena, metric, poll)
    with arena.window() as page:
        page.goto(f"/boards/{metric}/" + (f"{poll}/" if poll else ""))
        check_numbers(page, metric, rows)


def check_numbers(page: Page, metric: str, rows: list[dict]) -> None:
    """The open board shows these rows of the command."""
    digits = DIGITS.get(metric, 1)
    assert [text.split("\n")[0] for text in cells(page, "contestant")] == [row["contestant"] for row in rows]
    assert cells(page, "rank") == [ranks(row) for row in rows]
    voted = [row for row in rows if row["votes"] or row["value"] is not None]
    shown = [text.removesuffix("\N{NO-BREAK SPACE}%") for text in cells(page, "value")]
    assert shown == [DASH if row["value"] is None else f"{row['value']:.{digits}f}" for row in voted]
    if metric != "ccip":
        assert cells(page, "record") == [f"{row['wins']} · {row['losses']} · {row['draws']}" for row in voted]
    bounds = " ".join(cells(page, "interval"))
    for row in voted:
        assert row["low"] is None or f"{row['low']:.{digits}f} to {row['high']:.{digits}f}" in bounds


def ranks(row: dict) -> str:
    if row["rank"] is None:
        return DASH
    return str(row["rank"]) if row["rank"] == row["rank_high"] else f"{row['rank']}{DASH}{row['rank_high']}"


def test_a_slice_is_chosen_without_a_script(arena: Arena) -> None:
    with arena.window(script=False) as page:
        page.goto("/boards/elo/")
        page.get_by_label("Only votes on").select_option("tag=prompt 3")
        page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile(re.escape("?slice=tag%3Dprompt+3") + "$"))
        expect(page.get_by_label("Only votes on")).to_have_value("tag=prompt 3")


def test_the_plan_is_that_of_the_command(arena: Arena) -> None:
    found = json.loads(arena.site.manage("plan", "--poll", "duel", "--experiment", "--format", "json"))
    with arena.window() as page:
        page.goto("/boards/next/duel/")
        names = page.locator(".plan tbody th").all_inner_texts()
        assert names == [" · ".join(row["names"]) for row in found["matchups"]]
        last = page.locator(".plan").last.inner_text()
        assert all(str(one["votes"]) in last for one in found["savings"])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
