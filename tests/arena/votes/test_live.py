"""Real server processes on a real database file, and on PostgreSQL where it is reachable."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.arena.votes.voting_site import Browser, voting_site
from tests.site import Site

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@pytest.fixture
def sqlite_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def postgres_site(tmp_path: Path) -> Iterator[Site]:
    """A site on a database of its own in the PostgreSQL server of the tests."""
    name = f"arena_votes_{os.getpid()}"
    try:
        server = psycopg.connect(POSTGRES.replace("postgres://", "postgresql://"), autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
    with server:
        server.execute(f"DROP DATABASE IF EXISTS {name}")
        server.execute(f"CREATE DATABASE {name}")
        yield Site(tmp_path, DATABASE_URL=f"{POSTGRES.rsplit('/', 1)[0]}/{name}")
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def post_at_once(site: Site, posts: int) -> tuple[set[int], list[object]]:
    """Open one matchup and send its answer many times at once, half of them with the other answer."""
    browser = Browser(site)
    browser.open_booth()
    with ThreadPoolExecutor(posts) as pool:
        replies = list(pool.map(lambda n: browser.post("/polls/duel/vote", outcome=str(1 + n % 2)), range(posts)))
    return {status for status, _ in replies}, [reply for _, reply in replies]


def votes_in(site: Site) -> str:
    return site.command(
        "-c",
        "import django; django.setup(); from arena.votes.models import Vote, VoteLog;"
        "numbers = sorted(Vote.objects.values_list('number', flat=True));"
        "print(len(numbers), VoteLog.objects.get().length, numbers)",
    ).strip()


@pytest.mark.parametrize("database", ["sqlite_site", pytest.param("postgres_site", marks=pytest.mark.services)])
def test_fifty_posts_at_once_in_two_processes_are_one_vote(database: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(database)
    with voting_site(site, "--workers", "2", "--threads", "8"):
        statuses, replies = post_at_once(site, 50)
        assert statuses == {200}
        assert all(reply == replies[0] for reply in replies)
        assert votes_in(site) == "1 1 [1]"


@pytest.mark.parametrize("database", ["sqlite_site", pytest.param("postgres_site", marks=pytest.mark.services)])
def test_voters_at_once_get_numbers_without_gaps(database: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(database)

    def vote_three_times(_: int) -> list[int]:
        browser = Browser(site)
        statuses = []
        for _ in range(3):
            browser.open_booth()
            statuses.append(browser.post("/polls/duel/vote", outcome="1")[0])
        return statuses

    with voting_site(site, "--workers", "2", "--threads", "8"):
        with ThreadPoolExecutor(8) as pool:
            statuses = [status for voter in pool.map(vote_three_times, range(8)) for status in voter]
        assert statuses == [200] * 24
        assert votes_in(site) == f"24 24 {list(range(1, 25))}"


def test_an_unreachable_queue_is_said_and_leaves_nothing_waiting(tmp_path: Path) -> None:
    with voting_site(Site(tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0")) as site:
        browser = Browser(site)
        browser.open_booth()
        for _ in range(2):
            status, reply = browser.post("/polls/duel/prompt", prompt="1girl, smile")
            assert status == 503
            assert "cannot be reached" in reply["error"]
            assert "try your own prompt again" in reply["remedy"]
