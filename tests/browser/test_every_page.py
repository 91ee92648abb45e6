"""Every page opens in a real Chromium, and every board and comparison shows the numbers of its command."""

import json
from collections.abc import Iterator
from itertools import product
from urllib.parse import urlsplit

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from playwright.sync_api import Page

from arena.leaderboard.answering import percent
from tests.browser.arena_site import Arena
from tests.browser.test_boards import METRICS, cells, check_numbers

pytestmark = pytest.mark.browser
POLLS = ("", "fixed", "duel", "ffa")
BOARDS = [(metric, poll) for metric, poll in product(METRICS, POLLS) if metric != "ccip" or not poll]
PAIR = ("watercolour epoch 2", "watercolour epoch 9")
COMMANDS = f"""
import django
django.setup()
from django.core.management import call_command
for metric, poll in {BOARDS}:
    call_command("leaderboard", metric=metric, poll=poll or None, format="json")
    print("----")
for poll in {POLLS}:
    call_command("compare", *{PAIR}, poll=poll or None, format="json")
    print("----")
call_command("compare", reference="base-model epoch 0", run="watercolour", format="json")
"""
# What a link does not lead to, or what is no page: images, files and parts of pages, answers to a form, and pages that
# only somebody in the middle of voting, evaluating or typing a prompt has. Other tests open those.
ELSEWHERE = {
    "healthz", "set_language", "status-part", "status-json", "evaluation", "evaluation-part", "evaluation-cancel",
    "evaluation-resume", "sample", "sample-archive", "difference", "reference", "figure-file", "external",
    "sign-in", "sign-up", "change-password", "join-account", "sign-out", "end-account", "reveal-votes", "vote",
    "type-prompt", "image", "flag-image", "answered", "reveal", "undo", "prompt", "prompt-state", "prompt-cancel",
    "lora", "difference-page",
}  # fmt: skip


@pytest.fixture(scope="module")
def told(rated: Arena) -> list[list[dict]]:
    """What the commands print, in the order of COMMANDS."""
    return [json.loads(text) for text in rated.site.command("-c", COMMANDS).split("----\n")]


def test_every_board_shows_the_numbers_of_the_command(rated: Arena, told: list[list[dict]]) -> None:
    with rated.window() as page:
        for (metric, poll), rows in zip(BOARDS, told, strict=False):
            assert sum(row["value"] is not None for row in rows) > 10, (metric, poll)
            page.goto(f"/boards/{metric}/" + (f"{poll}/" if poll else ""))
            check_numbers(page, metric, rows)


def test_comparisons_show_the_numbers_of_the_command(rated: Arena, told: list[list[dict]]) -> None:
    with rated.window() as page:
        for poll, ((row,)) in zip(POLLS, told[len(BOARDS) :], strict=False):
            page.goto(f"/compare/?a={PAIR[0]}&b={PAIR[1]}&poll={poll}")
            shown = " ".join(page.locator("main .numbers").inner_text().split())
            assert f"{row['difference']:z.0f} Elo points" in shown
            for low, high in (("low", "high"), ("always_low", "always_high")):
                assert f"{row[low]:z.0f} to {row[high]:z.0f}" in shown
            assert " ".join(percent(row["probability"]).split()) in shown
            assert f"A won {row['a_wins']}, B won {row['b_wins']}, {row['draws']} draws" in shown
        page.goto("/compare/?reference=base-model+epoch+0&run=watercolour")
        rows = told[-1]
        assert cells(page, "contestant") == [row["contestant"] for row in rows]
        assert cells(page, "value") == [f"{row['difference']:z.0f}" for row in rows]
        assert cells(page, "once") == [f"{row['low']:z.0f} to {row['high']:z.0f}" for row in rows]
        assert cells(page, "always") == [f"{row['always_low']:z.0f} to {row['always_high']:z.0f}" for row in rows]


def test_the_polls_of_the_status_page_fit_a_narrow_screen(rated: Arena) -> None:
    with rated.window() as page:
        page.set_viewport_size({"width": 360, "height": 800})
        page.goto("/status/")
        assert page.locator("#polls tbody tr").count() == 3
        assert page.evaluate("one => one.scrollWidth <= one.clientWidth", page.query_selector("#polls .scroll"))


def test_every_link_leads_to_a_page_that_opens(rated: Arena) -> None:
    with rated.window() as page:
        opened, waiting = set[str](), ["/"]
        while waiting:
            path = waiting.pop()
            if path in opened:
                continue
            opened.add(path)
            answer = page.goto(path)
            assert answer is not None
            assert answer.ok, (path, answer.status)
            assert page.locator("h1").count() == 1, path
            waiting += [one for one in links(page) if kind_of(one) not in ELSEWHERE and once(one, opened)]
    assert {kind_of(path) for path in opened} == pages() - ELSEWHERE


def links(page: Page) -> list[str]:
    """Where the page leads within the site, each as a path with what it asks for left out."""
    found = page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)")
    parts = [urlsplit(address) for address in found]
    here = urlsplit(page.url).netloc
    return sorted({part.path for part in parts if part.netloc == here and not part.path.startswith(("/admin", "/api"))})


def once(path: str, opened: set[str]) -> bool:
    """Of many samples, one."""
    return kind_of(path) != "sample-page" or all(kind_of(one) != "sample-page" for one in opened)


def kind_of(path: str) -> str:
    return resolve(path).url_name or ""


def pages() -> set[str]:
    """The names of all addresses of the site but those of the API and the admin."""
    return set(_names(get_resolver().url_patterns))


def _names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLPattern):
            yield one.name or ""
        elif str(one.pattern) not in ("api/", "admin/"):
            yield from _names(one.url_patterns)
