"""Celery's way into boards: what a page has no time for. The rows say how far a board is; a message only says go."""

from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from arena.leaderboard.folding import begin
from arena.leaderboard.log import Slice
from arena.leaderboard.models import MatchupPlan, RatingRun, Study
from arena.leaderboard.planning import make_experiment, make_plan
from arena.leaderboard.replay import is_current, log_length, refresh
from arena.leaderboard.studying import Studied, renew
from rating.registry import rating_system

CLAIM_SECONDS = 60
KEPT_SECONDS = 600


@shared_task(name="leaderboard.catch_up")
def catch_up_board(run_id: int) -> None:
    """Fold and settle all votes of a board."""
    run = RatingRun.objects.filter(pk=run_id).first()
    if run is not None:
        refresh(run.metric, run.poll, run.population, run.cut)
        RatingRun.objects.filter(pk=run_id).update(claimed_at=None)


def catch_up(run: RatingRun | None) -> None:
    """Ask a worker to go on with a board that is behind, unless one was asked within the last minute.

    A lost message costs that minute and no vote. An unreachable broker is logged and is no error.
    """
    if run is None or run.pk is None or is_current(run):
        return
    run_id, now = run.pk, timezone.now()
    if RatingRun.objects.filter(_free(now), pk=run_id).update(claimed_at=now):
        transaction.on_commit(lambda: catch_up_board.delay(run_id), robust=True)


def keep_up(metric: str, poll: str) -> None:
    """Have a worker bring on a poll's board of people's votes that nobody may have opened: a page reads its standings.

    It is begun if it is not there yet. That is worth a worker's time every KEPT_SECONDS: where somebody looks at the
    board, it is newer anyway. Raises UnknownMetricError.
    """
    blank = begin(rating_system(metric), Slice(poll))
    board = {name: getattr(blank, name) for name in ("metric", "poll", "population", "cut")}
    run, _ = RatingRun.objects.get_or_create(**board, defaults={"methodology": blank.methodology, "state": blank.state})
    if run.through and run.updated_at > timezone.now() - timedelta(seconds=KEPT_SECONDS):
        return
    run.complete = run.through >= log_length()
    catch_up(run)


@shared_task(name="leaderboard.plan")
def plan_matchups(kind: str) -> None:
    """Plan the next matchups of a poll, and measure what that spares."""
    make_plan(kind)
    make_experiment(kind)
    MatchupPlan.objects.filter(poll=kind).update(claimed_at=None)


def plan_soon(plan: MatchupPlan) -> None:
    """Ask a worker to plan anew, unless one was asked within the last minute."""
    now, kind = timezone.now(), plan.poll
    if MatchupPlan.objects.filter(_free(now), pk=plan.pk).update(claimed_at=now):
        transaction.on_commit(lambda: plan_matchups.delay(kind), robust=True)


@shared_task(name="leaderboard.renew_study")
def renew_study(study_id: int) -> None:
    """Study all votes of a board anew."""
    row = Study.objects.filter(pk=study_id).first()
    if row is not None:
        renew(Slice(row.poll, row.population, row.cut))


def study_later(found: Studied) -> None:
    """Ask a worker to renew a study that is stale, unless one was asked within the last minute."""
    if not found.stale or found.row is None:
        return
    study_id, now = found.row.pk, timezone.now()
    if Study.objects.filter(_free(now), pk=study_id).update(claimed_at=now):
        transaction.on_commit(lambda: renew_study.delay(study_id), robust=True)


def _free(now: datetime) -> Q:
    return Q(claimed_at=None) | Q(claimed_at__lt=now - timedelta(seconds=CLAIM_SECONDS))
