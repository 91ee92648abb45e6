"""A real worker takes an evaluation from each broker that production may use."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from tests.site import Site, wait_for

BROKERS = {"redis": "redis://127.0.0.1:6379/15", "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//"}


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    """The broker's URL; unreachable, the test is skipped, or fails where CI promises all of them."""
    url = BROKERS[request.param]
    try:
        with Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except OperationalError as error:
        message = f"{request.param} does not answer at {url} ({error}): `docker compose up -d` starts one"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return url


@pytest.fixture
def queue(broker: str) -> Iterator[str]:
    """A queue of this test's own, removed afterwards."""
    name = f"arena-test-{uuid.uuid4().hex}"
    yield name
    with Connection(broker) as connection, connection.channel() as channel:
        channel.queue_delete(name)


@pytest.mark.services
def test_worker_finishes_an_evaluation(broker: str, queue: str, tmp_path: Path, tiny_folder: Path) -> None:
    site = Site(tmp_path, CELERY_BROKER_URL=broker, ARENA_QUEUE=queue, ARENA_RENDER_THREADS="1", OMP_NUM_THREADS="1")
    site.manage("migrate", "--verbosity", "0")
    site.manage("seed_polls")
    with site.worker():
        wait_for("the worker's start", lambda: rows(site, "select pid from evaluations_worker"), 120)
        site.manage("register_checkpoint", str(tiny_folder))
        wait_for(
            "the end of the evaluation",
            lambda: rows(site, "select state, done, error from evaluations_evaluationrun") == [("done", 64, "")],
            180,
        )


def rows(site: Site, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site.home / "arena.sqlite3", timeout=20)) as database:
        return database.execute(query).fetchall()
