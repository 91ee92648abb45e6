"""A prompt of the volunteer's own in a real Chromium, by a real worker: from typing to voting, cancelled, failed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.arena_site import Arena, chromium
from tests.site import Site, wait_for

pytestmark = pytest.mark.browser
# As a volunteer's: not so slow that the test waits, nor so fast that nothing is seen.
SETTINGS = {
    "ARENA_RENDERER": "tests.soak.renderer.FlatColours",
    "ARENA_FREE_PROMPT_BUDGET_SECONDS": "60",
    "ARENA_LOG_LEVEL": "INFO",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, "subprocess.Popen[bytes]"]]:
    """A duel whose contestants a worker can load, and that worker."""
    site = Site(tmp_path_factory.mktemp("typed"), **SETTINGS)
    site.manage("migrate", "-v0")
    site.command("-m", "tests.soak.prepare", str(site.home / "checkpoints"), "3")
    with site.serving(), site.worker() as worker:
        wait_for("the worker's first sign of life", lambda: site.get("/healthz")["queue"]["workers"])
        yield site, worker


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def arena(site, browser: Browser) -> Arena:
    return Arena(site[0], "", browser)


def type_prompt(page: Page, text: str) -> None:
    page.goto("/polls/duel/")
    page.get_by_label("Or type a prompt").fill(text)
    page.get_by_role("button", name="Render").click()


@contextlib.contextmanager
def asleep(worker: "subprocess.Popen[bytes]") -> Iterator[None]:
    """The worker holds still, so that what is shown meanwhile can be looked at."""
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker.pid, signal.SIGCONT)


@pytest.mark.parametrize("script", [True, False])
def test_from_typing_to_voting(arena: Arena, site, script: bool) -> None:
    with arena.window(script=script) as page:
        with asleep(site[1]):
            type_prompt(page, f"1girl, <b>smile</b> {script}")
            expect(page.get_by_role("heading", level=1)).to_have_text("Your prompt is being rendered")
            expect(page.get_by_text("0 of 2 images")).to_be_visible()
            expect(page.get_by_text(re.compile("s of at most 60 s"))).to_be_visible()
        expect(page).to_have_url(re.compile("/polls/duel/"))
        expect(page.locator(".prompt")).to_contain_text(f"1girl, <b>smile</b> {script}")
        page.get_by_alt_text("Right").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Recorded")
        assert arena.votes(page) == ["2"]


def test_a_prompt_is_cancelled(arena: Arena, site) -> None:
    with arena.window(touch=True) as page:
        with asleep(site[1]):
            type_prompt(page, "1girl, umbrella")
            page.get_by_role("button", name="Cancel").tap()
            expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
        page.get_by_role("link", name="Back to the poll").tap()
        expect(page.locator(".prompt")).not_to_contain_text("umbrella")


def test_a_failure_is_said_and_tried_again(arena: Arena, site) -> None:
    folder = site[0].home / "checkpoints"
    with arena.window() as page:
        shutil.move(folder, folder.with_name("lost"))
        type_prompt(page, "1girl, lantern")
        expect(page.get_by_role("heading", level=1)).to_have_text("Your prompt was not rendered")
        expect(page.get_by_role("alert")).to_contain_text("could not be rendered")
        assert "soak" not in page.locator("main").inner_text()
        shutil.move(folder.with_name("lost"), folder)
        page.get_by_role("button", name="Try it again").click()
        expect(page).to_have_url(re.compile("/polls/duel/"))
        expect(page.locator(".prompt")).to_contain_text("1girl, lantern")
