"""The evaluation of a contestant: its samples rendered, its seat in the polls taken."""

from datetime import timedelta

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
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="Set while somebody renders: the lease.")
    gpu_seconds = models.FloatField(default=0.0, help_text="How long a device worked for it, loading included.")
    device = models.CharField(max_length=50, blank=True, help_text="Which device did, as torch names it.")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"evaluation of {self.contestant}"

    @property
    def percent(self) -> int:
        """How much is rendered, 0-100."""
        return round(100 * self.done / self.total) if self.total else 0

    @property
    def seconds_left(self) -> float | None:
        """How long a device still has to work, at the pace so far; None where that is not known."""
        if self.state not in (self.State.QUEUED, self.State.RUNNING) or not self.done or not self.gpu_seconds:
            return None
        return (self.total - self.done) * self.gpu_seconds / self.done


class Worker(models.Model):
    """A Celery worker that says every few seconds that it is alive, also in the middle of a render."""

    BEAT_SECONDS = 5

    name = models.CharField(max_length=200, unique=True)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def alive(self) -> bool:
        """Whether it was heard of within the last four beats."""
        return timezone.now() - self.seen_at < timedelta(seconds=4 * self.BEAT_SECONDS)
