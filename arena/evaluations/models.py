"""The evaluation of a contestant: its samples rendered, its seat in the polls taken."""

from django.db import models
from django.utils import timezone

from arena.gallery.models import Contestant


class EvaluationRun(models.Model):
    """One evaluation of one contestant. The row is the truth about the job; a lost message loses nothing."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    contestant = models.OneToOneField(Contestant, on_delete=models.PROTECT, related_name="evaluation")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0, help_text="Samples present.")
    total = models.PositiveIntegerField(default=0, help_text="Samples asked for.")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"evaluation of {self.contestant}"

    @property
    def percent(self) -> int:
        """How much is rendered, 0-100."""
        return round(100 * self.done / self.total) if self.total else 0
