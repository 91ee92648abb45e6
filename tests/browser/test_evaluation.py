"""The page of an evaluation keeps up with it by itself."""

import sqlite3
from contextlib import closing

from playwright.sync_api import expect

from tests.browser.arena_site import Arena


def change(arena: Arena, assignments: str) -> None:
    """Do to the evaluation what a worker would."""
    with closing(sqlite3.connect(arena.site.home / "arena.sqlite3", timeout=20)) as database, database:
        database.execute(f"UPDATE evaluations_evaluationrun SET {assignments} WHERE id = 1")


def test_progress_and_cost_appear_without_a_reload(arena: Arena) -> None:
    with arena.window() as page:
        page.goto("/evaluations/1/")
        expect(page.get_by_text("3 of 9")).to_be_visible()
        page.evaluate("window.sameDocument = true")
        change(arena, "done = 7, gpu_seconds = 30.4, device = 'cuda'")
        expect(page.get_by_text("7 of 9")).to_be_visible(timeout=15_000)
        expect(page.get_by_text("30.4 GPU-seconds")).to_be_visible()
        change(arena, "done = 9, state = 'done'")
        expect(page.locator(".state")).to_have_text("done", timeout=15_000)
        assert page.evaluate("window.sameDocument"), "the page was not loaded again"
        change(arena, "done = 3, state = 'running', gpu_seconds = 8.1, device = ''")
