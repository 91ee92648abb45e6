"""Evaluating a contestant: render what the open polls ask for, chunk by chunk, enrol it, and measure it at the end.

The row in the database is the truth about the job; whoever renders holds a lease on it (arena.evaluations.lease).
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice, zip_longest
from typing import Any

from django.db import transaction
from django.utils import timezone

from arena.evaluations.lease import UNFINISHED, charged, lease, stopped_for, unfinished
from arena.evaluations.measuring import measure
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Contestant, Prompt, Sample
from arena.gallery.rendering import Job, missing, render_missing
from arena.polls.models import Enrolment, Poll
from generation.errors import Cancelled
from rating.errors import RatingError

State = EvaluationRun.State
CHUNK_SECONDS = 3.0
NAMED = 5


def jobs() -> list[Job]:
    """Every (prompt, seed) that the open polls ask of a contestant, the polls taking turns.

    The order is the same for every contestant, so that the first few images of each already meet.
    """
    per_poll = [_jobs_of(poll) for poll in Poll.objects.filter(is_open=True).select_related("prompt_set")]
    return [job for job in chain.from_iterable(zip_longest(*per_poll)) if job is not None]


def _jobs_of(poll: Poll) -> list[Job]:
    prompts = list(poll.prompt_set.prompts.filter(origin=Prompt.Origin.SET))
    return [(prompt, seed) for prompt in prompts for seed in poll.prompt_set.seeds]


def start(contestant: Contestant, *, resume: bool = False) -> tuple[EvaluationRun, bool]:
    """Queue the evaluation of a contestant; also again after a failure, or when the polls ask for more than before.

    A cancelled one stays so, and images that came out broken stay missing, unless `resume` is asked for: a training run
    that registers its epoch a second time does not undo what a person decided, nor break the same images again.

    Returns:
        The row, and whether there is new work for a worker.

    Raises arena.gallery.models.ImportedError for a contestant that cannot render.
    """
    contestant.frozen_recipe()
    run, created = EvaluationRun.objects.get_or_create(contestant=contestant)
    if created:
        return run, True
    with transaction.atomic():
        run = EvaluationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
        asked = jobs()
        absent = missing(run.contestant, asked)
        broken = [] if resume else run.broken
        stopped = run.state == State.CANCELLED and not resume
        settled = run.state in (State.DONE, State.INCOMPLETE) and not _without(broken, absent)
        if stopped or settled or run.state in UNFINISHED:
            return run, False
        _set(
            run,
            state=State.QUEUED,
            error="",
            broken=broken,
            finished_at=None,
            done=len(asked) - len(absent),
            total=len(asked),
            waiting_since=timezone.now(),
        )
        return run, True


def left(run: EvaluationRun, asked: list[Job]) -> list[Job]:
    """What of the jobs is still to be rendered: those without a Sample that have not come out broken."""
    return _without(run.broken, missing(run.contestant, asked))


def _without(broken: list[dict[str, Any]], absent: list[Job]) -> list[Job]:
    known = {(one["prompt"], one["seed"]) for one in broken}
    return [(prompt, seed) for prompt, seed in absent if (prompt.pk, seed) not in known]


def cancel(run: EvaluationRun) -> bool:
    """Stop an unfinished evaluation; whoever renders it notices within a second or a step. Its samples stay.

    Returns whether it was unfinished; `run` is up to date either way.
    """
    stopped = _move(run, state=State.CANCELLED, finished_at=timezone.now())
    run.refresh_from_db()
    return stopped


def advance(
    run_id: int, *, seconds: float = CHUNK_SECONDS, on_progress: Callable[[EvaluationRun], None] | None = None
) -> bool:
    """Render the next chunk of an evaluation: whole batches until `seconds` are spent, at least one.

    The contestant is enrolled in the open polls once its first samples exist. Once all is rendered, chunks
    measure it against the characters' references.

    Returns:
        Whether work is left.

    Raises:
        BusyError: another process holds the lease.
        EvaluationRun.DoesNotExist: there is no such evaluation.
        Exception: whatever stopped the rendering; its text stands on the row, whose state is then "failed".
    """
    run = EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora").get(pk=run_id)
    if run.state not in UNFINISHED:
        return False
    with lease(run):
        try:
            return _advance(run, time.monotonic() + seconds, on_progress)
        except Cancelled:
            return False
        except Exception as error:
            _move(run, state=State.FAILED, error=f"{type(error).__name__}: {error}", finished_at=timezone.now())
            raise


def _advance(run: EvaluationRun, deadline: float, on_progress: Callable[[EvaluationRun], None] | None) -> bool:
    asked = jobs()
    absent = missing(run.contestant, asked)
    waiting = _without(run.broken, absent)
    if not _move(run, state=State.RUNNING, started_at=run.started_at or timezone.now(), total=len(asked)):
        return False
    batches = _batches(waiting, run.contestant.frozen_recipe().batch)
    rendered, tried = len(asked) - len(absent), 0
    stopped = stopped_for(run)
    for number, batch in enumerate(batches):
        if number and time.monotonic() >= deadline:
            break
        broken = list(run.broken)
        with charged(run):
            render_missing(run.contestant, batch, should_stop=stopped, on_broken=partial(_note, broken))
        tried += len(batch)
        rendered += len(batch) - (len(broken) - len(run.broken))
        _set(run, done=rendered, broken=broken, heartbeat_at=timezone.now())
        if on_progress:
            on_progress(run)
    if rendered:
        enrol(run.contestant)
    return tried < len(waiting) or not _measured(run) or not _finish(run)


def _note(broken: list[dict[str, Any]], prompt: Prompt, seed: int, problem: str) -> None:
    broken.append({"prompt": prompt.pk, "seed": seed, "problem": problem})


def _measured(run: EvaluationRun) -> bool:
    """Measure the contestant; False when a chunk's time was spent first; what was measured by then is kept.

    False, too, where it cannot be measured since a poll has opened that asks for images: they come first.
    """
    try:
        measure(run.contestant, progress=_watched(run))
    except _PauseError:
        return False
    except RatingError:
        if left(run, jobs()):
            return False
        raise
    return True


class _PauseError(Exception):
    """Others have waited long enough for this process."""


def _watched(run: EvaluationRun) -> Callable[[int, int], None]:
    """Called for every image that is measured: renews the lease, stops for a cancellation or at the chunk's end."""
    stopped = stopped_for(run)
    calls, deadline = 0, 0.0

    def look(done: int, total: int) -> None:
        nonlocal calls, deadline
        if stopped():
            raise Cancelled(f"measuring {run.contestant} was cancelled at image {done} of {total}")
        calls += 1
        # The time runs from the first call, however long the files took to read. Two calls, one for references and one
        # for samples, tell what is known already: with the third, this chunk has measured an image.
        deadline = deadline or time.monotonic() + CHUNK_SECONDS
        if calls > 2 and done < total and time.monotonic() > deadline:
            raise _PauseError

    return look


def _finish(run: EvaluationRun) -> bool:
    """Mark the evaluation as done, or as incomplete where images are broken, unless the polls ask for more by now."""
    with transaction.atomic():
        EvaluationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
        asked = jobs()
        absent = missing(run.contestant, asked)
        waiting = _without(run.broken, absent)
        _set(run, done=len(asked) - len(absent), total=len(asked))
        if not waiting:
            state, error = (State.INCOMPLETE, _named(run.broken)) if absent else (State.DONE, "")
            _move(run, state=state, error=error, finished_at=timezone.now())
        return not waiting


def _named(broken: list[dict[str, Any]]) -> str:
    """The broken images by seed and prompt, the first few of many."""
    named = "; ".join(one["problem"] for one in broken[:NAMED])
    more = f"; and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    return f"missing, for they came out broken ({len(broken)}): {named}{more}"


def enrol(contestant: Contestant) -> None:
    """Let a contestant take part in every open poll that it has samples for; a withdrawn one stays withdrawn."""
    for poll in Poll.objects.filter(is_open=True):
        if Sample.objects.filter(contestant=contestant, prompt__prompt_set=poll.prompt_set_id).exists():
            Enrolment.objects.get_or_create(poll=poll, contestant=contestant)


def _batches(left: list[Job], size: int) -> Iterator[list[Job]]:
    source = iter(left)
    while batch := list(islice(source, size)):
        yield batch


def _move(run: EvaluationRun, **fields: object) -> bool:
    """Change an evaluation that is still wanted; False, and nothing changed, if it was cancelled meanwhile."""
    if not unfinished().filter(pk=run.pk).update(**fields):
        return False
    for name, value in fields.items():
        setattr(run, name, value)
    return True


def _set(run: EvaluationRun, **fields: object) -> None:
    for name, value in fields.items():
        setattr(run, name, value)
    run.save(update_fields=list(fields))
