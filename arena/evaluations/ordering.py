"""Which evaluation goes on next, so that the loaded checkpoint is used, and what all waiting work would cost."""

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from arena.evaluations.lease import free_lease, unfinished
from arena.evaluations.models import EvaluationRun
from arena.evaluations.running import jobs, left
from arena.gallery.rendering import LOADED
from generation.planner import Cost, Forecast, Job, forecast, next_job, plan, stays

# Until something was measured: what the demo's checkpoint takes on two CPU cores, and to load.
ASSUMED_SECONDS_AN_IMAGE = 0.1
ASSUMED_SWAP_SECONDS = 1.0


def choose(run_id: int) -> int:
    """The evaluation to render a chunk of, when a message came for `run_id`; that one itself where nothing is free.

    The one whose checkpoint is loaded, up to ARENA_SWAP_AGE_SECONDS of waiting of the others, and at least for a while
    that is worth its loading.
    """
    now = timezone.now()
    free = unfinished().filter(free_lease(now)).select_related("contestant__checkpoint", "contestant__lora")
    waiting = [_job(run, images=1) for run in free]
    if not waiting:
        return run_id
    chosen = next_job(
        waiting,
        LOADED.weights,
        now.timestamp(),
        settings.ARENA_SWAP_AGE_SECONDS,
        stays=stays(LOADED.at, LOADED.swap_seconds, now.timestamp()),
    )
    return int(chosen.key)


def waiting_work() -> list[Job]:
    """What every unfinished evaluation still has to render, as the planner's jobs."""
    asked = jobs()
    runs = unfinished().select_related("contestant__checkpoint", "contestant__lora")
    waiting = {run: len(left(run, asked)) for run in runs}
    return [_job(run, images) for run, images in waiting.items() if images]


def measured_cost(swap_seconds: float = ASSUMED_SWAP_SECONDS) -> Cost:
    """Seconds of a batch, as far as evaluations have measured them, of each checkpoint and overall."""
    rows = EvaluationRun.objects.filter(done__gt=0, gpu_seconds__gt=0).select_related(
        "contestant__checkpoint", "contestant__lora"
    )
    paces = {run: run.gpu_seconds / run.done for run in rows}
    whole = rows.aggregate(seconds=Sum("gpu_seconds"), images=Sum("done"))
    pace = whole["seconds"] / whole["images"] if whole["images"] else ASSUMED_SECONDS_AN_IMAGE
    batches = {run.contestant.weights: seconds * _batch(run) for run, seconds in paces.items()}
    sizes = [_batch(run) for run in unfinished().select_related("contestant")]
    return Cost(swap_seconds, pace * max(sizes, default=1), batches)


def compare_orders(work: list[Job], cost: Cost, age_seconds: float) -> tuple[Forecast, Forecast]:
    """The planned order, and chunk by chunk in the order of asking, from now on with nothing loaded."""
    now = timezone.now().timestamp()
    chunks = [chunk for job in work for chunk in _chunks(job)]
    planned = plan(chunks, cost=cost, now=now, age_seconds=age_seconds)
    turns = sorted(chunks, key=lambda job: (int(job.key.partition("/")[2]), job.asked_at))
    return planned, forecast(turns, cost=cost, now=now)


def _chunks(job: Job) -> list[Job]:
    """A job batch by batch: what one evaluation renders before another may have its turn."""
    counts = [min(job.batch, job.images - start) for start in range(0, job.images, job.batch)]
    fields = (job.checkpoint, job.shape, job.sampler, job.asked_at)
    return [Job(f"{job.key}/{number}", *fields, images, job.batch) for number, images in enumerate(counts)]


def _job(run: EvaluationRun, images: int) -> Job:
    recipe = run.contestant.frozen_recipe()
    return Job(
        key=str(run.pk),
        checkpoint=run.contestant.weights,
        shape=(recipe.width, recipe.height),
        sampler=recipe.sampler,
        asked_at=run.waiting_since.timestamp(),
        images=images,
        batch=recipe.batch,
    )


def _batch(run: EvaluationRun) -> int:
    return run.contestant.frozen_recipe().batch
