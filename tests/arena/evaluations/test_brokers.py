"""A real worker takes an evaluation from each broker that production may use, also when the broker dies meanwhile."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from generation.tiny import write_tiny_checkpoint
from tests.arena.evaluations.gated import gated
from tests.broker import Broker, RabbitNode, RedisServer
from tests.site import Site, wait_for

BROKERS = {"redis": "redis://127.0.0.1:6379/15", "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//"}
ONE_THREAD = {"ARENA_RENDER_THREADS": "1", "OMP_NUM_THREADS": "1"}
WHOLE = ("done", 64, "")
pytestmark = pytest.mark.services


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    """The broker's URL; unreachable, the test is skipped, or fails where CI promises all of them."""
    url = BROKERS[request.param]
    try:
        with Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except OperationalError as error:
        remedy = "`docker compose --profile rabbitmq up -d redis rabbitmq` starts both"
        message = f"{request.param} does not answer at {url} ({error}): {remedy}"
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


@pytest.fixture(params=[RedisServer, RabbitNode], ids=["redis", "rabbitmq"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker that this test may kill."""
    if not request.param.installed():
        message = f"{request.param.PROGRAM} is not installed on this machine"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    folder = tmp_path / "broker"
    folder.mkdir()
    running = request.param(folder)
    running.start()
    yield running
    running.kill()


def test_worker_finishes_an_evaluation(broker: str, queue: str, tmp_path: Path, tiny_folder: Path) -> None:
    site = Site(tmp_path, CELERY_BROKER_URL=broker, ARENA_QUEUE=queue, **ONE_THREAD)
    prepare(site)
    with site.worker():
        wait_for("the worker's start", lambda: site.rows("select pid from evaluations_worker"))
        site.manage("register_checkpoint", str(tiny_folder))
        wait_for("the end of the evaluation", lambda: runs(site) == [WHOLE])


@pytest.mark.timeout(600)
def test_everything_is_finished_once_though_the_broker_died(
    own_broker: Broker, tmp_path: Path, tiny_folder: Path
) -> None:
    """The broker is killed while the first evaluation renders; the second is asked for while it is away."""
    site = Site(tmp_path / "site", CELERY_BROKER_URL=own_broker.url, **ONE_THREAD, **gated(tmp_path / "gate"))
    site.home.mkdir()
    prepare(site)
    write_tiny_checkpoint(tmp_path / "two", seed=2, epoch=2)
    with site.worker() as worker:
        wait_for("the worker's start", lambda: site.rows("select pid from evaluations_worker"))
        site.manage("register_checkpoint", str(tiny_folder))
        wait_for("the first image", lambda: count(site) > 0)
        own_broker.kill()
        assert runs(site) != [WHOLE], "it was killed too late to prove anything"
        (tmp_path / "gate").touch()
        site.manage("register_checkpoint", str(tmp_path / "two"))
        own_broker.start()
        wait_for("the end of both evaluations", lambda: runs(site) == [WHOLE, WHOLE])
        assert worker.poll() is None, "the worker outlived the broker"
    assert count(site) == 128
    doubled = "select count(*) from gallery_sample group by contestant_id, prompt_id, seed having count(*) > 1"
    assert site.rows(doubled) == []


def prepare(site: Site) -> None:
    site.manage("migrate", "--verbosity", "0")
    site.manage("seed_polls")


def runs(site: Site) -> list[tuple[object, ...]]:
    return site.rows("select state, done, error from evaluations_evaluationrun order by id")


def count(site: Site) -> int:
    return int(site.rows("select count(*) from gallery_sample")[0][0])
