"""Celery's way into evaluations. A message only says that there is work; the rows say which."""

import logging
import os
from threading import Event, Thread
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from arena.celery import queue_returned
from arena.evaluations import lease, ordering, running
from arena.evaluations.models import Worker

logger = logging.getLogger(__name__)
STOPPED = Event()


@shared_task
def advance_evaluation(run_id: int) -> None:
    """Render one chunk and, while work is left, queue behind whatever came in meanwhile (a volunteer's prompt).

    The chunk is of the evaluation that suits the loaded checkpoint; the message lives until its own is finished.
    """
    chosen = ordering.choose(run_id)
    try:
        more = running.advance(chosen)
    except lease.BusyError:
        # The other process may be dead: look again when its lease has run out.
        advance_evaluation.apply_async((run_id,), countdown=lease.LEASE_SECONDS)
        return
    except Exception:
        if chosen != run_id:
            advance_evaluation.delay(run_id)
        raise
    if more or (chosen != run_id and lease.unfinished().filter(pk=run_id).exists()):
        advance_evaluation.delay(run_id)


def enqueue(run_id: int) -> None:
    """Tell the workers once the transaction is committed.

    An unreachable broker is logged and is no error: the row stays queued, and a worker takes up every unfinished row
    when it starts.
    """
    transaction.on_commit(lambda: advance_evaluation.delay(run_id), robust=True)


@worker_ready.connect
def take_up_unfinished(sender: Any = None, **_: Any) -> None:
    """A worker that starts says that it lives, and takes up what a killed one left behind."""
    if settings.CELERY_BROKER_URL.startswith("sqla"):
        lease.release_all()
    send_unfinished()
    now, name = timezone.now(), _name(sender)
    Worker.objects.update_or_create(name=name, defaults={"pid": os.getpid(), "started_at": now, "seen_at": now})
    STOPPED.clear()
    Thread(target=_beat, args=(name,), name="worker-beat", daemon=True).start()


@queue_returned.connect
def send_unfinished(**_: Any) -> None:
    """Send every unfinished evaluation again; a message too many finds nothing to do."""
    for run_id in lease.unfinished().values_list("pk", flat=True):
        advance_evaluation.delay(run_id)


@worker_shutdown.connect
def say_goodbye(sender: Any = None, **_: Any) -> None:
    """A worker that was asked to stop takes its row away; a killed one is seen to be silent."""
    STOPPED.set()
    Worker.objects.filter(name=_name(sender)).delete()


def _name(sender: Any) -> str:
    return str(getattr(sender, "hostname", None) or "worker")


def _beat(name: str) -> None:
    """Write the worker's row every few seconds, from a thread: rendering keeps the main one busy."""
    try:
        while not STOPPED.wait(Worker.BEAT_SECONDS):
            _touch(name)
    finally:
        connection.close()


def _touch(name: str) -> None:
    try:
        Worker.objects.filter(name=name).update(seen_at=timezone.now())
    except DatabaseError:
        logger.warning("the worker's beat was not written; it is tried again", exc_info=True)
        connection.close()
