"""The page of an evaluation keeps up with it by itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.arena_site import Arena

pytestmark = pytest.mark.browser


def change(arena: Arena, assignments: str) -> None:
    """Do to the evaluation what a worker would."""
    with closing(sqlite3.connect(arena.site.home / "arena.sqlite3", timeout=60)) as database, database:
        database.execute(f"UPDATE evaluations_evaluationrun SET {assignments} WHERE id = 1")


@pytest.fixture
def _put_back(arena: Arena) -> Iterator[None]:
    """Other tests find the evaluation as it was."""
    yield
    change(arena, "done = 3, state = 'running', gpu_seconds = 8.1, device = ''")


@pytest.mark.usefixtures("_put_back")
def test_progress_and_cost_appear_without_a_reload(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/evaluations/1/")
        expect(page.get_by_text("3 of 9")).to_be_visible()
        page.evaluate("window.sameDocument = true")
        change(arena, "done = 7, gpu_seconds = 30.4, device = 'cuda'")
        expect(page.get_by_text("7 of 9")).to_be_visible(timeout=15_000)
        expect(page.get_by_text("30.4 GPU-seconds")).to_be_visible()
        change(arena, "done = 9, state = 'done'")
        expect(page.locator(".state")).to_have_text("done")
        assert page.evaluate("window.sameDocument"), "the page was not loaded again"
