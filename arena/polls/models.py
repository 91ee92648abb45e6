"""What is asked: polls, who takes part, matchups and their seats."""

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from arena.gallery.models import Contestant, Prompt, PromptSet, Sample


class Poll(models.Model):
    """A kind of question with its rules (paper, section 5.1)."""

    class Kind(models.TextChoices):
        FIXED = "fixed", _("Fixed characteristics")
        DUEL = "duel", _("Free-prompt duel")
        FFA = "ffa", _("Free for all")

    class ContentRating(models.TextChoices):
        GENERAL = "general"
        SENSITIVE = "sensitive"
        QUESTIONABLE = "questionable"
        EXPLICIT = "explicit"

    kind = models.CharField(max_length=10, choices=Kind, unique=True)
    question = models.CharField(max_length=200)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="polls")
    is_open = models.BooleanField(default=True)
    goal = models.PositiveIntegerField(
        default=20, help_text="Votes after which a volunteer is offered a place to stop."
    )
    content_rating = models.CharField(
        max_length=12, choices=ContentRating, default=ContentRating.GENERAL,
        help_text="The most that a typed prompt may ask for.",
    )  # fmt: skip
    banned_tags = models.TextField(blank=True, help_text="Tags that typed prompts must not hold, separated by commas.")
    contestants = models.ManyToManyField(Contestant, through="Enrolment", related_name="polls")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def seat_count(self) -> int:
        """Images shown at once: 4 in the free-for-all, else 2."""
        return 4 if self.kind == self.Kind.FFA else 2

    @property
    def allows_draw(self) -> bool:
        """Draws are answers of the fixed-characteristics poll only (paper, section 5.1)."""
        return self.kind == self.Kind.FIXED


class Enrolment(models.Model):
    """A contestant takes part in a poll."""

    poll = models.ForeignKey(Poll, on_delete=models.CASCADE, related_name="enrolments")
    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="enrolments")
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    appearances = models.PositiveBigIntegerField(
        default=0, help_text="Seats taken in this poll; counted so that pairing need not read all seats."
    )

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("poll", "contestant"), name="one_enrolment_per_contestant"),)

    def __str__(self) -> str:
        return f"{self.contestant} in {self.poll}"


class Matchup(models.Model):
    """2 or 4 samples of one prompt and one seed, shown in seats, and the rule that chose them."""

    poll = models.ForeignKey(Poll, on_delete=models.PROTECT, related_name="matchups")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="matchups")
    seed = models.PositiveBigIntegerField()
    rule = models.CharField(max_length=100, help_text="Name and version of the pairing rule.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.poll} {self.pk}"


def new_image_key() -> str:
    """An unguessable name for one image in one matchup, so that nothing links two showings of a sample."""
    return secrets.token_urlsafe(18)


class Seat(models.Model):
    """One sample at one place of a matchup. Position 1 is the left or the first."""

    matchup = models.ForeignKey(Matchup, on_delete=models.CASCADE, related_name="seats")
    position = models.PositiveSmallIntegerField()
    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="seats")
    image_key = models.CharField(max_length=40, unique=True, default=new_image_key)

    class Meta:
        ordering = ("matchup_id", "position")
        constraints = (
            models.UniqueConstraint(fields=("matchup", "position"), name="one_sample_per_seat"),
            models.UniqueConstraint(fields=("matchup", "sample"), name="one_seat_per_sample"),
            models.CheckConstraint(condition=models.Q(position__gte=1, position__lte=4), name="seat_is_1_to_4"),
        )

    def __str__(self) -> str:
        return f"{self.matchup} seat {self.position}"
