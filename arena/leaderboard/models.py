"""Boards: views of the vote log, kept only because folding it again costs time."""

from django.db import models
from django.utils import timezone

from arena.gallery.models import Contestant


class LogPortion(models.Model):
    """Votes `first` to `last` of the log as arrays (arena.leaderboard.archive): derived, and read much faster."""

    first = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ("first",)
        constraints = (models.UniqueConstraint(fields=("first", "last"), name="one_portion_of_the_log"),)

    def __str__(self) -> str:
        return f"votes {self.first} to {self.last}"


class RatingRun(models.Model):
    """The state of one board (metric x poll x population x cut) after the first `through` votes of the log."""

    metric = models.CharField(max_length=20)
    poll = models.CharField(max_length=10, blank=True, help_text="Poll kind; empty for the combined board.")
    population = models.CharField(max_length=10)
    cut = models.CharField(max_length=200, blank=True, help_text="Such as character=NAME; empty for all votes.")
    methodology = models.CharField(max_length=200, help_text="Version of the rating method.")
    through = models.PositiveBigIntegerField(default=0, help_text="Number of the last vote folded.")
    counted = models.PositiveBigIntegerField(default=0)
    excluded = models.CharField(max_length=64, blank=True, help_text="Hash of the excluded votes among those folded.")
    log_sha256 = models.CharField(max_length=64, blank=True)
    state = models.JSONField(default=dict)
    settled = models.JSONField(default=dict, help_text="Intervals and rank ranges, and the vote they were made at.")
    anchors = models.JSONField(default=list, help_text="Two earlier places, to go on from.")
    pending = models.JSONField(null=True, blank=True, help_text="A replay under way.")
    exclusions = models.JSONField(default=list, help_text="Number and last of all exclusions when they were last read.")
    version = models.PositiveBigIntegerField(default=0, help_text="Counts the writes, so that none is overwritten.")
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was last asked to catch up.")
    updated_at = models.DateTimeField(default=timezone.now)
    # Whether whoever folded it reached the end of the log.
    complete = True

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("metric", "poll", "population", "cut"), name="one_run_per_board")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.poll or 'combined'} ({self.population}{self.cut and ', '}{self.cut})"


class MatchupPlan(models.Model):
    """Which matchups of a poll to ask for next, and what such planning spares; derived from the poll's votes."""

    poll = models.CharField(max_length=10, unique=True, help_text="Poll kind.")
    votes = models.PositiveBigIntegerField(default=0, help_text="Counted votes that it was made of.")
    matchups = models.JSONField(default=list)
    made_at = models.DateTimeField(default=timezone.now)
    savings = models.JSONField(default=list, help_text="What the experiment found.")
    savings_votes = models.PositiveBigIntegerField(
        default=0, help_text="Counted votes that the experiment was made of."
    )
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was last asked to make it.")

    class Meta:
        ordering = ("poll",)

    def __str__(self) -> str:
        return f"plan of {self.poll}"


class Standing(models.Model):
    """One contestant's row of a board; without rank and value while the votes do not allow any."""

    rating_run = models.ForeignKey(RatingRun, on_delete=models.CASCADE, related_name="standings")
    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="standings")
    rank = models.PositiveIntegerField(null=True, blank=True, help_text="The best rank that it may have.")
    rank_high = models.PositiveIntegerField(null=True, blank=True, help_text="The worst rank that it may have.")
    value = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    mu = models.FloatField(null=True, blank=True)
    sigma = models.FloatField(null=True, blank=True)
    average = models.FloatField(null=True, blank=True, help_text="Time-weighted average of a rating that wanders.")
    best_probability = models.FloatField(null=True, blank=True, help_text="That it is the best of all.")
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


class ExternalBoard(models.Model):
    """Votes from elsewhere under a name, kept apart from the arena's own log and boards."""

    name = models.SlugField(max_length=100, unique=True)
    source = models.CharField(max_length=300, blank=True, help_text="Where the votes come from, and their licence.")
    file_name = models.CharField(max_length=300)
    file_sha256 = models.CharField(max_length=64)
    votes = models.PositiveBigIntegerField(help_text="All lines, those that rate nobody included.")
    names = models.JSONField(help_text="Contestants and polls, in the order of their codes.")
    data = models.BinaryField(help_text="The votes as arrays (arena.leaderboard.external).")
    runs = models.JSONField(default=dict, help_text="What was computed of them, by metric and poll.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Study(models.Model):
    """What all votes of a board (poll x population x cut) say at once, for figures: too much to compute in a page."""

    poll = models.CharField(max_length=10, blank=True, help_text="Poll kind; empty for all polls together.")
    population = models.CharField(max_length=10)
    cut = models.CharField(max_length=200, blank=True, help_text="Such as character=NAME; empty for all votes.")
    methodology = models.CharField(max_length=200, blank=True)
    through = models.PositiveBigIntegerField(default=0, help_text="Number of the last vote studied.")
    counted = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=20, blank=True, help_text="As of a board; empty before the first study.")
    data = models.BinaryField(blank=True, default=b"", help_text="Arrays (arena.leaderboard.studying).")
    exclusions = models.JSONField(default=list, help_text="Number and last of all exclusions at that time.")
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was last asked to study it anew.")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "studies"
        constraints = [models.UniqueConstraint(fields=("poll", "population", "cut"), name="one_study_per_board")]

    def __str__(self) -> str:
        return f"study of {self.poll or 'all polls'} ({self.population}{self.cut and ', '}{self.cut})"
