"""A PostgreSQL database of one's own on the server that the tests use."""

import contextlib
import os
from collections.abc import Iterator

import psycopg

SERVER = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@contextlib.contextmanager
def postgres_database(name: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped on leaving. Raises psycopg.OperationalError without a server."""
    address = SERVER.replace("postgres://", "postgresql://")
    with psycopg.connect(address, autocommit=True, connect_timeout=3) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{SERVER.rsplit('/', 1)[0]}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
