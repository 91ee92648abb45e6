"""Fixtures of the tests in a real Chromium."""

from collections.abc import Iterator

import pytest

from tests.browser.arena_site import Arena, chromium, serving
from tests.site import Site

UNHURRIED = {
    "ARENA_VOTES_PER_MINUTE": "0",
    "ARENA_TICKETS_PER_MINUTE": "0",
    "ARENA_SCREEN_VOTES_PER_MINUTE": "0",
}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """One site for all tests."""
    site = Site(tmp_path_factory.mktemp("browser"), **UNHURRIED)
    with serving(site) as veteran:
        yield site, veteran


@pytest.fixture(scope="module")
def arena(served: tuple[Site, str]) -> Iterator[Arena]:
    """The site in one browser; each test opens windows, and so voters, of its own.

    Playwright keeps an event loop while it runs, so it ends with the module: no other test may find it.
    """
    with chromium() as browser:
        yield Arena(*served, browser)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """A site of its own with votes in every poll, scores and images of fifteen contestants."""
    site = Site(tmp_path_factory.mktemp("rated"))
    site.manage("migrate", "-v0")
    site.command("-m", "tests.browser.figure_votes")
    with site.serving(), chromium() as browser:
        yield Arena(site, "", browser)
