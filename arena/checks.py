"""System checks of the settings: one sentence a wrong variable, by its name, before anything is half started.

`manage.py check` and most commands run the first group, `manage.py migrate` also asks the database, and
`manage.py check --deploy` the queue and the store too. gunicorn and the worker refuse to start on the first group.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.files.storage import default_storage
from django.db import Error as DatabaseError
from django.db import connections
from kombu import Connection
from kombu.exceptions import OperationalError

from arena import environment
from arena.errors import StoreError

# What each kind of queue needs installed.
BROKERS = {
    "redis": "redis",
    "rediss": "redis",
    "amqp": "amqp",
    "amqps": "amqp",
    "sqla+sqlite": "sqlalchemy",
    # Python itself is enough.
    "memory": "queue",
}
BROKER_FORMS = "redis://host:6379/0, amqp://user:password@host:5672// or sqla+sqlite:////absolute/path"
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PATIENCE_SECONDS = 3


@register
def settings_are_right(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """What can be known to be wrong without asking anybody."""
    problems = [*environment.PROBLEMS, *_broker(), *_cache(), *_store()]
    return [_error(variable, text) for variable, text in problems]


def _error(variable: str, text: str) -> Error:
    return Error(f"{variable}: {text}", hint="docs/settings.md describes every variable.", id="arena.E001")


def _broker() -> Iterator[tuple[str, str]]:
    url = settings.CELERY_BROKER_URL
    scheme = url.partition("://")[0]
    if scheme not in BROKERS:
        yield "CELERY_BROKER_URL", f"{scheme[:30]!r} is no queue that the arena runs on; use {BROKER_FORMS}"
    elif find_spec(BROKERS[scheme]) is None:
        yield "CELERY_BROKER_URL", f"the package {BROKERS[scheme]} is not installed: pip install '.[redis]'"
    elif scheme not in {"sqla+sqlite", "memory"} and not _has_host(url):
        yield "CELERY_BROKER_URL", f"it names no host, or a wrong port; use {BROKER_FORMS}"


def _cache() -> Iterator[tuple[str, str]]:
    url = settings.CACHE_URL
    if url and (not url.startswith(("redis://", "rediss://")) or not _has_host(url)):
        yield "ARENA_CACHE_URL", "use redis://host:6379/1"


def _store() -> Iterator[tuple[str, str]]:
    bucket, endpoint = settings.S3_BUCKET, settings.S3_ENDPOINT
    if endpoint and not bucket:
        yield "ARENA_S3_BUCKET", "ARENA_S3_ENDPOINT names a store, and this no bucket in it"
    if bucket and not BUCKET_NAME.fullmatch(bucket):
        yield "ARENA_S3_BUCKET", f"{bucket!r} is no bucket's name: 3 to 63 of a-z, 0-9, '-' and '.'"
    if endpoint and not (endpoint.startswith(("http://", "https://")) and _has_host(endpoint)):
        yield "ARENA_S3_ENDPOINT", "use https://host or http://host:9000"
    if bucket and find_spec("storages") is None:
        yield "ARENA_S3_BUCKET", "the package django-storages is not installed: pip install '.[s3]'"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@register(Tags.database)
def database_answers(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Where a command names databases: whether they can be reached."""
    problems = []
    for alias in databases or ():
        try:
            connections[alias].ensure_connection()
        except DatabaseError as error:
            text = " ".join(str(error).split())
            problems.append(Error(f"DATABASE_URL: the database does not answer: {text}", id="arena.E002"))
    return problems


@register(Tags.security, deploy=True)
def queue_and_store_answer(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Before a deployment: whether the queue and the store can be reached."""
    if settings_are_right():
        return []
    return [*_queue_answers(), *_store_answers()]


def _queue_answers() -> Iterator[CheckMessage]:
    url = settings.CELERY_BROKER_URL
    if url.startswith(("sqla", "memory")):
        return
    connection = Connection(url, connect_timeout=PATIENCE_SECONDS)
    try:
        connection.ensure_connection(max_retries=1, timeout=PATIENCE_SECONDS)
    except (OperationalError, OSError) as error:
        yield Error(f"CELERY_BROKER_URL: {connection.as_uri()} does not answer: {error}", id="arena.E003")
    finally:
        connection.release()


def _store_answers() -> Iterator[CheckMessage]:
    if not settings.S3_BUCKET:
        return
    try:
        default_storage.check_bucket()
    except StoreError as error:
        yield Error(f"ARENA_S3_BUCKET: {error}", id="arena.E004")


def refuse_wrong_settings(status: int) -> None:
    """End this process, with one line a wrong variable, if the settings are wrong; for processes that run no checks."""
    problems = settings_are_right()
    if problems:
        sys.stderr.write("".join(f"refused to start: {problem.msg}\n" for problem in problems))
        raise SystemExit(status)
