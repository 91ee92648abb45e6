"""Evaluations and workers in Django's admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from arena.evaluations.models import EvaluationRun, Worker


@admin.register(EvaluationRun)
class EvaluationRunAdmin(admin.ModelAdmin):
    """Progress to look at; only the state is edited, to cancel or to queue again."""

    list_display = ("contestant", "state", "done", "total", "started_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("contestant__checkpoint",)
    fields = ("contestant", "state", "done", "total", "error", "started_at", "finished_at", "heartbeat_at")
    readonly_fields = tuple(name for name in fields if name != "state")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Worker)
class WorkerAdmin(admin.ModelAdmin):
    list_display = ("name", "pid", "started_at", "seen_at", "alive")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
