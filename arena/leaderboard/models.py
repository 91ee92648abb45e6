"""Boards: views of the vote log, kept only because folding it again costs time."""

from django.db import models
from django.utils import timezone

from arena.gallery.models import Contestant


class RatingRun(models.Model):
    """The state of one board (metric x poll x population) after the first `through` votes of the log."""

    metric = models.CharField(max_length=20)
    poll = models.CharField(max_length=10, blank=True, help_text="Poll kind; empty for the combined board.")
    population = models.CharField(max_length=10)
    methodology = models.CharField(max_length=100, help_text="Version of the rating method.")
    through = models.PositiveBigIntegerField(default=0, help_text="Number of the last vote folded.")
    counted = models.PositiveBigIntegerField(default=0)
    excluded = models.CharField(max_length=64, blank=True, help_text="Hash of the excluded votes among those folded.")
    log_sha256 = models.CharField(max_length=64, blank=True)
    state = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=("metric", "poll", "population"), name="one_run_per_board")]

    def __str__(self) -> str:
        return f"{self.metric} {self.poll or 'combined'} ({self.population})"


class Standing(models.Model):
    """One contestant's row of a board; without rank and value while the votes do not allow any."""

    rating_run = models.ForeignKey(RatingRun, on_delete=models.CASCADE, related_name="standings")
    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="standings")
    rank = models.PositiveIntegerField(null=True, blank=True)
    value = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    mu = models.FloatField(null=True, blank=True)
    sigma = models.FloatField(null=True, blank=True)
    average = models.FloatField(null=True, blank=True, help_text="Time-weighted average of a rating that wanders.")
    votes = models.PositiveIntegerField(default=0)
    wins = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0)
    draws = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("rating_run_id", "rank", "id")
        constraints = [
            models.UniqueConstraint(fields=("rating_run", "contestant"), name="one_standing_per_contestant"),
        ]

    def __str__(self) -> str:
        return f"{self.rank or '-'}. {self.contestant}"
