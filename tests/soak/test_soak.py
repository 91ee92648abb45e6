"""The soak in small: what is acknowledged is stored, whoever is killed."""

import os
from pathlib import Path

import psycopg
import pytest

from tests.site import Site
from tests.soak.database import postgres_database
from tests.soak.soaking import Plan, soak

SMALL = Plan(writers=2, votes=40, web_kills=4, worker_kills=1, whole_server_every=4, prompts=8, seconds=200)


def check(site: Site) -> None:
    found = soak(site, SMALL)
    assert found["faults"] == [], (site.home / "worker.log").read_text()[-4000:]
    assert found["acknowledged"] == found["stored"] == 80
    assert (found["web kills"], found["worker kills"]) == (4, 1)
    assert found["undone"] == 8
    assert found["prompts"].get("ready"), found["prompts"]
    assert found["audit"] == ""


@pytest.mark.timeout(400)
def test_nothing_acknowledged_is_lost_on_sqlite(tmp_path: Path) -> None:
    check(Site(tmp_path))


@pytest.mark.services
@pytest.mark.timeout(400)
def test_nothing_acknowledged_is_lost_on_postgresql(tmp_path: Path) -> None:
    try:
        with postgres_database(f"arena_small_soak_{os.getpid()}") as url:
            check(Site(tmp_path, DATABASE_URL=url))
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL for the tests: {error}")
