"""Celery's way into boards: what a page has no time for. The rows say how far a board is; a message only says go."""

from datetime import timedelta

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import refresh
from arena.leaderboard.table import Board, is_behind

CLAIM_SECONDS = 60


@shared_task(name="leaderboard.catch_up")
def catch_up_board(run_id: int) -> None:
    """Fold and settle all votes of a board."""
    run = RatingRun.objects.filter(pk=run_id).first()
    if run is not None:
        refresh(run.metric, run.poll, run.population, run.cut)
        RatingRun.objects.filter(pk=run_id).update(claimed_at=None)


def catch_up(found: Board) -> None:
    """Ask a worker to go on with a board that is behind, unless one was asked within the last minute.

    A lost message costs that minute and no vote. An unreachable broker is logged and is no error.
    """
    if not is_behind(found) or found.run is None:
        return
    run_id, now = found.run.pk, timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - timedelta(seconds=CLAIM_SECONDS))
    if RatingRun.objects.filter(free, pk=run_id).update(claimed_at=now):
        transaction.on_commit(lambda: catch_up_board.delay(run_id), robust=True)
