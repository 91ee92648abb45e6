"""The loop at a glance: what the status page and its JSON show."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.urls import reverse

from arena.evaluations.models import EvaluationRun, Worker
from arena.gallery.models import Run, Sample
from arena.polls.models import Poll
from arena.polls.pairing import can_be_shown

RUNS = 6
EVALUATIONS = 40
DEMO_FILE = "demo.json"


def snapshot(now: datetime) -> dict[str, Any]:
    """Runs, evaluations, polls, whether a worker lives, and the demo's own steps, as plain JSON values."""
    polls = [_poll(poll) for poll in _polls()]
    return {
        "at": now.isoformat(timespec="seconds"),
        "demo": _demo(),
        "worker_alive": any(worker.alive for worker in Worker.objects.all()),
        "runs": [_run(run) for run in Run.objects.exclude(total_steps=0)[:RUNS]],
        "evaluations": [describe(run) for run in _evaluations()],
        "samples": Sample.objects.count(),
        "polls": polls,
        "votes": {population: sum(poll[population] for poll in polls) for population in ("people", "simulated")},
    }


def spell_seconds(seconds: float | None) -> str:
    """A duration as people say it: "45 s", "3 min 20 s", "2 h 5 min"; empty for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def spell_cost(run: EvaluationRun) -> str:
    """What an evaluation has cost so far: "12.5 GPU-seconds on cuda"."""
    return f"{run.gpu_seconds:.1f} GPU-seconds on {run.device}" if run.device else "no GPU-seconds yet"


def _run(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "url": reverse("run", args=[run.name]),
        "state": run.state,
        "epoch": run.epoch,
        "epochs": run.epochs,
        "step": run.step,
        "total_steps": run.total_steps,
        "percent": run.percent,
        "loss": run.loss,
        "images_per_second": run.images_per_second,
        "time_left": spell_seconds(run.eta_seconds) if run.state == Run.State.TRAINING else "",
        "message": run.message,
    }


def _evaluations() -> list[EvaluationRun]:
    """Newest first: the epoch that just arrived is what people look for."""
    rows = EvaluationRun.objects.select_related("contestant__checkpoint__run", "contestant__lora")
    return list(rows.order_by("-contestant__checkpoint__created_at", "-pk")[:EVALUATIONS])


def describe(run: EvaluationRun) -> dict[str, Any]:
    """One evaluation as plain JSON values: state, progress, what it has cost and what is left."""
    checkpoint = run.contestant.checkpoint
    return {
        "id": run.pk,
        "checkpoint": str(run.contestant),
        "url": reverse("checkpoint", args=[checkpoint.sha256[:12]]),
        "page": reverse("evaluation", args=[run.pk]),
        "state": run.state,
        "done": run.done,
        "total": run.total,
        "percent": run.percent,
        "error": run.error,
        "gpu_seconds": round(run.gpu_seconds, 1),
        "device": run.device,
        "time_left": spell_seconds(run.seconds_left),
    }


def _polls() -> list[Poll]:
    """Polls with their counts of votes but for skips and those taken back.

    Votes are reached through the matchups, as this app stands beside theirs.
    """
    vote = "matchups__tickets__vote"
    population = "matchups__tickets__voter__population"
    answers = ~Q(**{f"{vote}__outcome": "skip"}) & ~Q(**{f"{vote}__exclusion__rule": "undone"})
    return list(
        Poll.objects.filter(is_open=True).annotate(
            people=Count(vote, filter=answers & Q(**{population: "people"}), distinct=True),
            simulated=Count(vote, filter=answers & Q(**{population: "simulated"}), distinct=True),
        )
    )


def _poll(poll: Any) -> dict[str, Any]:
    return {
        "kind": poll.kind,
        "title": str(poll),
        "contestants": poll.enrolments.filter(withdrawn_at=None).count(),
        "votable": can_be_shown(poll),
        "people": poll.people,
        "simulated": poll.simulated,
    }


def _demo() -> dict[str, Any] | None:
    """What `manage.py demo` last wrote about its steps; None where it does not run the show."""
    try:
        return dict(json.loads((settings.HOME / DEMO_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
