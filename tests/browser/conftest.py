"""Fixtures of the tests in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.arena_site import Arena, serving
from tests.site import Site


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """One site and one browser for all tests; each opens windows, and so voters, of its own."""
    home: Path = tmp_path_factory.mktemp("browser")
    unhurried = {"ARENA_VOTES_PER_MINUTE": "0", "ARENA_TICKETS_PER_MINUTE": "0", "ARENA_MIN_ANSWER_MS": "0"}
    with serving(Site(home, **unhurried, ARENA_SCREEN_VOTES_PER_MINUTE="0")) as arena:
        yield arena
