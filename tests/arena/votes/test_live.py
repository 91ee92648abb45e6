"""Real server processes on a real database file, and on PostgreSQL where it is reachable."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest

from tests.arena.votes.voting_site import WORKER, Browser, voting_site
from tests.site import Site, wait_for

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


@pytest.mark.parametrize("database", ["sqlite_site", pytest.param("postgres_site", marks=pytest.mark.services)])
def test_undo_and_reveal_at_once_never_both_happen(database: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(database)
    with voting_site(site, "--workers", "2", "--threads", "8"):
        for first in ("undo", "reveal"):
            browser = Browser(site)
            browser.open_booth()
            page = browser.post("/polls/duel/vote", outcome="1")[1]["page"]
            other = {"undo": "reveal", "reveal": "undo"}[first]
            buttons = [first, *[other, first] * 8]
            with ThreadPoolExecutor(len(buttons)) as pool:
                replies = list(pool.map(lambda button, b=browser, p=page: (button, *b.post(f"{p}{button}")), buttons))
            statuses = {button: {status for name, status, _ in replies if name == button} for button in buttons}
            assert statuses in ({"undo": {200}, "reveal": {409}}, {"undo": {409}, "reveal": {200}})
            done = [reply for _, status, reply in replies if status == 200]
            assert all(reply == done[0] for reply in done)


@pytest.mark.parametrize("database", ["sqlite_site", pytest.param("postgres_site", marks=pytest.mark.services)])
def test_a_voter_whose_reply_was_lost_moves_on(database: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(database)
    with voting_site(site):
        browser = Browser(site)
        browser.open_booth()
        answered = browser.fields["ticket"]
        hang_up_after_sending(browser, "/polls/duel/vote", outcome="2")
        wait_for("the vote", lambda: votes_in(site) == "1 1 [1]")
        status, reply = browser.post("/polls/duel/vote", outcome="1")
        assert (status, reply["vote"], reply["outcome"]) == (200, 1, "2")
        browser.open_booth()
        assert browser.fields["ticket"] != answered
        assert browser.post("/polls/duel/vote", outcome="1")[1]["vote"] == 2


def hang_up_after_sending(browser: Browser, path: str, **fields: str) -> None:
    """Send a form and close the connection without waiting for the answer."""
    body = urlencode(browser.fields | fields)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {browser.cookies}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", browser.site.port), timeout=20) as connection:
        connection.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode())


def test_an_unreachable_queue_is_said_and_leaves_nothing_waiting(tmp_path: Path) -> None:
    with voting_site(Site(tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0")) as site:
        site.command("-c", WORKER)
        browser = Browser(site)
        browser.open_booth()
        for _ in range(2):
            status, reply = browser.post("/polls/duel/prompt", prompt="1girl, smile")
            assert status == 503
            assert "cannot be reached" in reply["error"]
            assert "try your own prompt again" in reply["remedy"]
