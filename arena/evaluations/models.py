"""The evaluation of a contestant: its samples, its seat in the polls, its likeness to the characters."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from arena.gallery.models import Character, Contestant


class EvaluationRun(models.Model):
    """One evaluation of one contestant. The row is the truth about the job; a lost message loses nothing."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        INCOMPLETE = "incomplete"
        FAILED = "failed"
        CANCELLED = "cancelled"

    contestant = models.OneToOneField(Contestant, on_delete=models.PROTECT, related_name="evaluation")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0, help_text="Samples present.")
    total = models.PositiveIntegerField(default=0, help_text="Samples asked for.")
    error = models.TextField(blank=True)
    broken: Any = models.JSONField(
        default=list, help_text="Images that came out broken and are not tried again unasked: prompt, seed, problem."
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="Set while somebody renders: the lease.")
    waiting_since = models.DateTimeField(default=timezone.now, help_text="Since when nobody has rendered for it.")
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


class CheckpointScoreQuerySet(models.QuerySet["CheckpointScore"]):
    """Scores can be compared only where the same encoder measured the same suite."""

    def comparable_to(self, score: "CheckpointScore") -> "CheckpointScoreQuerySet":
        """Scores by this score's encoder, threshold and suite, this one among them."""
        return self.filter(encoder=score.encoder, suite=score.suite, threshold=score.threshold)

    def current(self) -> "CheckpointScoreQuerySet":
        """Those comparable to the newest complete one (the newest at all, where none is complete)."""
        newest = self.order_by("missing", "-measured_at", "-pk")
        chosen = newest.filter(missing=0).first() or newest.first()
        return self.comparable_to(chosen) if chosen else self.none()


class CheckpointScore(models.Model):
    """How well a contestant draws the named characters (docs/evaluation.md): one encoder, one suite.

    Differences are in [0, 1], lower is better; rates in [0, 1], higher is better. A score with missing images is
    incomplete.
    """

    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="scores")
    encoder = models.CharField(max_length=64, help_text="Hash of the encoder's nets and preprocessing.")
    encoder_name = models.CharField(max_length=200)
    notice = models.TextField(blank=True, help_text="What the encoder wants said beside each of its scores.")
    suite = models.CharField(max_length=64, help_text="Hash of characters, references, prompts, seeds and recipe.")
    threshold = models.FloatField(help_text="A difference up to this one counts as the same character.")
    images = models.PositiveIntegerField()
    missing = models.PositiveIntegerField()
    difference = models.FloatField(null=True)
    difference_low = models.FloatField(null=True)
    difference_high = models.FloatField(null=True)
    same_rate = models.FloatField(null=True)
    same_rate_low = models.FloatField(null=True)
    same_rate_high = models.FloatField(null=True)
    interval = models.CharField(max_length=20, help_text="How the 95 % intervals came about: t, bootstrap or none.")
    top1 = models.FloatField(null=True, help_text="Share of images nearest to their own character.")
    reference_difference = models.FloatField(null=True, help_text="Of the references among themselves: the ceiling.")
    reference_same_rate = models.FloatField(null=True)
    floor_difference = models.FloatField(null=True, help_text="Of the images to other characters' references.")
    floor_same_rate = models.FloatField(null=True)
    result: Any = models.JSONField(default=dict, help_text="The whole score, every image in it.")
    measured_at = models.DateTimeField(default=timezone.now)

    objects = CheckpointScoreQuerySet.as_manager()

    class Meta:
        ordering = ("-measured_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("contestant", "encoder", "suite", "threshold"), name="one_score_per_encoder_and_suite"
            ),
        )

    def __str__(self) -> str:
        return f"character similarity of {self.contestant}"

    @property
    def complete(self) -> bool:
        """Whether every image that the suite asks for was measured."""
        return not self.missing

    @property
    def leaks(self) -> int:
        """Images that are a reference, or as good as one; they were held against the others only."""
        return len({tuple(leak["key"]) for leak in self.result.get("leaks", ())})

    @property
    def duplicates(self) -> int:
        """Pairs of references that are one picture; they raise the ceiling."""
        return len(self.result.get("duplicates", ()))


class CharacterScore(models.Model):
    """One character's part of a CheckpointScore."""

    score = models.ForeignKey(CheckpointScore, on_delete=models.CASCADE, related_name="characters")
    character = models.ForeignKey(Character, on_delete=models.PROTECT, related_name="scores")
    images = models.PositiveIntegerField()
    missing = models.PositiveIntegerField()
    difference = models.FloatField(null=True)
    same_rate = models.FloatField(null=True)
    nearest = models.FloatField(null=True)
    top1 = models.FloatField(null=True)
    reference_difference = models.FloatField(null=True)
    reference_same_rate = models.FloatField(null=True)
    floor_difference = models.FloatField(null=True)
    floor_same_rate = models.FloatField(null=True)

    class Meta:
        ordering = ("character__name",)
        constraints = (
            models.UniqueConstraint(fields=("score", "character"), name="one_score_per_character_of_a_score"),
        )

    def __str__(self) -> str:
        return f"{self.character} in {self.score}"


class ProbeScoreQuerySet(models.QuerySet["ProbeScore"]):
    """Values can be compared only where the same was asked."""

    def current(self, probe: str) -> "ProbeScoreQuerySet":
        """The scores of a probe that are comparable to its newest one."""
        newest = self.filter(probe=probe).order_by("-measured_at", "-pk").first()
        return self.filter(probe=probe, suite=newest.suite) if newest else self.none()


class ProbeScore(models.Model):
    """What a probe (docs/probes.md) found of a contestant: its headline, and everything in `result`."""

    class Name(models.TextChoices):
        DYNAMIC_RANGE = "dynamic-range", gettext_lazy("Dynamic colour range")
        INPAINTING = "inpainting", gettext_lazy("Inpainting harmony")
        LORA_TRANSFER = "lora-transfer", gettext_lazy("LoRA transfer")
        MULTI_CHARACTER = "multi-character", gettext_lazy("Multi-character separation")
        PADDING = "padding", gettext_lazy("Effect of padding")
        PROMPT_LENGTH = "prompt-length", gettext_lazy("Long and short prompts")

    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="probe_scores")
    probe = models.CharField(max_length=30, choices=Name)
    suite = models.CharField(max_length=64, help_text="Hash of prompts, seeds, variants and recipe.")
    images = models.PositiveIntegerField()
    value = models.FloatField()
    value_low = models.FloatField(null=True)
    value_high = models.FloatField(null=True)
    result: Any = models.JSONField(default=dict, help_text="Every number, by case too.")
    measured_at = models.DateTimeField(default=timezone.now)

    objects = ProbeScoreQuerySet.as_manager()

    class Meta:
        ordering = ("probe", "-measured_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=("contestant", "probe", "suite"), name="one_score_per_probe_and_suite"),
        )

    def __str__(self) -> str:
        return f"{self.probe} of {self.contestant}"
