"""Evaluations and workers in Django's admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from arena.evaluations import running
from arena.evaluations.models import CheckpointScore, EvaluationRun, ProbeScore, Worker
from arena.evaluations.tasks import enqueue
from arena.recorded import Recorded


@admin.register(EvaluationRun)
class EvaluationRunAdmin(Recorded):
    """Progress and cost to look at; two actions stop evaluations and go on with them."""

    actions = ("cancel", "go_on")
    list_display = ("contestant", "state", "done", "total", "gpu_seconds", "device", "started_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("contestant__checkpoint",)

    @admin.action(description="Cancel the chosen evaluations")
    def cancel(self, request: HttpRequest, chosen: QuerySet[EvaluationRun]) -> None:
        stopped = sum(running.cancel(run) for run in chosen)
        self.message_user(request, f"{stopped} of {len(chosen)} evaluations were still unfinished and are cancelled.")

    @admin.action(description="Go on with the chosen evaluations")
    def go_on(self, request: HttpRequest, chosen: QuerySet[EvaluationRun]) -> None:
        started = [running.start(run.contestant, resume=True) for run in chosen]
        queued = [run for run, anew in started if anew]
        for run in queued:
            enqueue(run.pk)
        self.message_user(request, f"{len(queued)} of {len(chosen)} evaluations are queued.")


@admin.register(Worker)
class WorkerAdmin(Recorded):
    list_display = ("name", "pid", "started_at", "seen_at", "alive")


@admin.register(ProbeScore)
class ProbeScoreAdmin(Recorded):
    """To look at; a score is measured, never typed."""

    list_display = ("contestant", "probe", "value", "images", "measured_at")
    list_filter = ("probe",)
    list_select_related = ("contestant__checkpoint", "contestant__lora")


@admin.register(CheckpointScore)
class CheckpointScoreAdmin(Recorded):
    """To look at; a score is measured, never typed."""

    list_display = ("contestant", "encoder_name", "difference", "same_rate", "top1", "missing", "measured_at")
    list_select_related = ("contestant__checkpoint",)
