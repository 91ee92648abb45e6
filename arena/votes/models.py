"""What was answered: voters, one-time tickets and the append-only log of votes."""

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from arena.gallery.models import Contestant, Prompt
from arena.polls.models import Matchup, Poll


def new_token() -> str:
    """An unguessable public name (144 bits)."""
    return secrets.token_urlsafe(18)


class Voter(models.Model):
    """Somebody who votes without a login, known by a signed cookie; or a simulated voter, marked as such."""

    class Population(models.TextChoices):
        PEOPLE = "people"
        SIMULATED = "simulated"

    key = models.CharField(max_length=40, unique=True, default=new_token)
    population = models.CharField(max_length=10, choices=Population, default=Population.PEOPLE)
    preference = models.CharField(max_length=200, blank=True, help_text="What a simulated voter votes by.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.population} {self.pk}"


class Ticket(models.Model):
    """The right to answer one matchup once, for one voter, in the order it was shown."""

    token = models.CharField(max_length=40, unique=True, default=new_token)
    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="tickets")
    matchup = models.OneToOneField(Matchup, on_delete=models.PROTECT, related_name="ticket")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"ticket {self.pk}"


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
    """Takes one vote off the boards, with the reason; removing the row puts it back."""

    vote = models.OneToOneField(Vote, on_delete=models.PROTECT, related_name="exclusion")
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.vote} excluded: {self.reason}"


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
