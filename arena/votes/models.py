"""What was answered: voters, one-time tickets and the append-only log of votes."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from arena.gallery.models import Contestant, Prompt, Sample
from arena.polls.models import Matchup, Poll


def new_token() -> str:
    """An unguessable public name (144 bits), in digits that no command line takes for an option."""
    return secrets.token_hex(18)


class Voter(models.Model):
    """Somebody who votes without a login, known by a signed cookie; or a simulated voter, marked as such."""

    class Population(models.TextChoices):
        PEOPLE = "people"
        SIMULATED = "simulated"

    key = models.CharField(max_length=40, unique=True, default=new_token)
    population = models.CharField(max_length=10, choices=Population, default=Population.PEOPLE)
    preference = models.CharField(max_length=200, blank=True, help_text="What a simulated voter votes by.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="voters",
        help_text="The account that keeps the history of several devices; most voters have none.",
    )  # fmt: skip
    settings = models.JSONField(default=dict, blank=True, help_text="Keys, language, always_reveal and the like.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=200, blank=True)
    last_screened_number = models.PositiveBigIntegerField(
        default=0, help_text="Number of the voter's last vote that screening has looked at."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.population} {self.pk}"


class Ticket(models.Model):
    """The right to answer one matchup once, for one voter, in the order of its seats.

    A matchup gets a second ticket when its vote is undone; at most one of its votes counts.
    """

    token = models.CharField(max_length=40, unique=True, default=new_token)
    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="tickets")
    matchup = models.ForeignKey(Matchup, on_delete=models.PROTECT, related_name="tickets")
    created_at = models.DateTimeField(default=timezone.now)
    shown_at = models.DateTimeField(null=True, blank=True, help_text="When its page was first sent, by our clock.")
    revealed_at = models.DateTimeField(null=True, blank=True, help_text="When the voter was told who it was.")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"ticket {self.pk}"

    @property
    def expired(self) -> bool:
        """Whether it is too old to be answered."""
        return self.created_at < oldest_open_ticket()


def oldest_open_ticket() -> datetime:
    """Tickets handed out before this moment have expired."""
    return timezone.now() - timedelta(hours=settings.ARENA_TICKET_HOURS)


class VoteLog(models.Model):
    """A single row that hands out log numbers: whoever holds its lock writes next, so numbers commit in order."""

    length = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.length} votes"


class AppendOnlyError(Exception):
    """A vote was about to be changed or deleted; exclude it with a VoteExclusion instead."""


class Vote(models.Model):
    """One answer, never changed afterwards (the database refuses updates too, see the migration)."""

    number = models.PositiveBigIntegerField(unique=True, help_text="Place in the log, from 1, in commit order.")
    ticket = models.OneToOneField(Ticket, on_delete=models.PROTECT, related_name="vote")
    outcome = models.CharField(max_length=20, help_text="As in the vote file: 2, 1=2, 2>1=4>3, bad, skip.")
    reason = models.CharField(max_length=100, blank=True, help_text="Why it was skipped.")
    answered_after_ms = models.PositiveBigIntegerField(
        null=True, help_text="Between the showing and the answer, by our clock; None where it is not known."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"vote {self.number}: {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Append; a second save raises AppendOnlyError."""
        if not self._state.adding:
            raise AppendOnlyError(f"vote {self.number} is already in the log")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Always raises AppendOnlyError."""
        raise AppendOnlyError(f"vote {self.number} stays in the log; add a VoteExclusion instead")


class VoteExclusion(models.Model):
    """Takes one vote off the boards, with the rule and the reason; a vote without such a row counts.

    *Excluded* is decided; *unverified* waits for a second look. Removing the row puts the vote back.
    """

    class State(models.TextChoices):
        EXCLUDED = "excluded"
        UNVERIFIED = "unverified"

    class Rule(models.TextChoices):
        UNDONE = "undone", "Undone by the voter"
        TOO_FAST = "too-fast", "Too fast"
        ONE_SIDED = "one-sided", "One-sided"
        DUPLICATE = "duplicate", "Duplicate"
        FLAGGED = "flagged", "Flagged image"
        RATE = "rate", "Too many a minute"
        RANDOM = "random", "Random"
        FAN = "fan", "Always for the same"
        REVOKED = "revoked", "Voter revoked"
        BY_HAND = "by-hand", "By hand"

    vote = models.OneToOneField(Vote, on_delete=models.PROTECT, related_name="exclusion")
    state = models.CharField(max_length=10, choices=State, default=State.EXCLUDED)
    rule = models.CharField(max_length=10, choices=Rule, default=Rule.BY_HAND)
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.vote} {self.state}: {self.reason}"


class ImageFlag(models.Model):
    """A volunteer's objection to an image; a sample that has an undecided one, or was hidden, is in no new matchup."""

    class Decision(models.TextChoices):
        KEPT = "kept"
        HIDDEN = "hidden"

    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="image_flags")
    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="flags")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    decision = models.CharField(max_length=10, choices=Decision, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("voter", "sample"), name="one_flag_per_voter_and_sample"),)

    def __str__(self) -> str:
        return f"flag of sample {self.sample_id}: {self.decision or 'undecided'}"


class FreePrompt(models.Model):
    """A volunteer's own prompt on its way to a matchup: the job's state lives here, the message only says go."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RENDERING = "rendering"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"

    token = models.CharField(max_length=40, unique=True, default=new_token)
    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="free_prompts")
    poll = models.ForeignKey(Poll, on_delete=models.PROTECT, related_name="free_prompts")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="free_prompts")
    seed = models.PositiveBigIntegerField()
    contestants = models.ManyToManyField(Contestant, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    rendered = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    ticket = models.OneToOneField(Ticket, null=True, blank=True, on_delete=models.PROTECT, related_name="free_prompt")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.prompt} ({self.state})"

    @property
    def expired(self) -> bool:
        """Whether the time budget of a free prompt is spent."""
        return (timezone.now() - self.created_at).total_seconds() > settings.ARENA_FREE_PROMPT_BUDGET_SECONDS
