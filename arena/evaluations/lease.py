"""Who works on an evaluation: one process at a time, by a lease on the row, at a cost that the row adds up.

The lease (``heartbeat_at``) is given back after every chunk; that of a killed process runs out by itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from arena.evaluations.models import EvaluationRun

UNFINISHED = (EvaluationRun.State.QUEUED, EvaluationRun.State.RUNNING)
LEASE_SECONDS = 120
LOOK_SECONDS = 1.0


class BusyError(Exception):
    """Another process is rendering this evaluation right now."""


def unfinished() -> QuerySet[EvaluationRun]:
    """Evaluations that still want a worker."""
    return EvaluationRun.objects.filter(state__in=UNFINISHED)


def release_all() -> None:
    """Take every lease back. Only right where there is one worker and it has just started."""
    EvaluationRun.objects.exclude(heartbeat_at=None).update(heartbeat_at=None)


def free_lease(now: datetime) -> Q:
    """Evaluations that nobody renders, or whose process has gone silent."""
    return Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - timedelta(seconds=LEASE_SECONDS))


@contextmanager
def lease(run: EvaluationRun) -> Iterator[None]:
    """Hold the row while it is worked on. Raises BusyError where another process does."""
    now = timezone.now()
    if not EvaluationRun.objects.filter(free_lease(now), pk=run.pk).update(heartbeat_at=now):
        raise BusyError(f"another process is rendering {run}; it looks after the rest")
    try:
        yield
    finally:
        run.heartbeat_at, run.waiting_since = None, timezone.now()
        run.save(update_fields=["heartbeat_at", "waiting_since"])


@contextmanager
def charged(run: EvaluationRun) -> Iterator[None]:
    """Count what happens inside as work of the device for this evaluation, whether or not it ends well."""
    begun = time.monotonic()
    try:
        yield
    finally:
        spent = time.monotonic() - begun
        EvaluationRun.objects.filter(pk=run.pk).update(
            gpu_seconds=F("gpu_seconds") + spent, device=settings.ARENA_DEVICE
        )
        run.gpu_seconds += spent
        run.device = settings.ARENA_DEVICE


def stopped_for(run: EvaluationRun) -> Callable[[], bool]:
    """Whether the evaluation was cancelled, asked at most once in LOOK_SECONDS; the same statement renews the lease."""
    looked = time.monotonic()

    def look() -> bool:
        nonlocal looked
        if time.monotonic() - looked < LOOK_SECONDS:
            return False
        looked = time.monotonic()
        return not unfinished().filter(pk=run.pk).update(heartbeat_at=timezone.now())

    return look
