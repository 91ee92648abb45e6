"""Who may use the API: one token for each researcher or trainer."""

from django.db import models
from django.utils import timezone


class Scope(models.TextChoices):
    """What a token allows."""

    READ = "read", "boards, comparisons, evaluations"
    CHECKPOINTS = "checkpoints", "register checkpoints, report the progress of runs"
    EVALUATIONS = "evaluations", "start and cancel evaluations"
    VOTES = "votes", "export votes"


class ApiToken(models.Model):
    """A token, known by its hash only. A revoked one stays, so that its name is never given to somebody else."""

    name = models.CharField(max_length=100, unique=True, help_text="Whose it is, or what for.")
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """ "valid", "expired" or "revoked"."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "valid"
