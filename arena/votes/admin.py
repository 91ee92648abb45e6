"""Votes in Django's admin: the log is read, never written; exclusions are how a vote leaves the boards."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from arena.votes.models import FreePrompt, Ticket, Vote, VoteExclusion, VoteLog, Voter


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that only the arena itself writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Written by the arena only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never deleted by hand."""
        return False


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    """The log, newest first."""

    list_display = ("number", "poll", "voter", "outcome", "reason", "created_at")
    list_filter = ("ticket__matchup__poll", "ticket__voter__population")
    list_select_related = ("ticket__voter", "ticket__matchup__poll")
    ordering = ("-number",)

    @admin.display
    def poll(self, vote: Vote) -> str:
        """The poll it belongs to."""
        return str(vote.ticket.matchup.poll)

    @admin.display
    def voter(self, vote: Vote) -> str:
        """Who answered."""
        return str(vote.ticket.voter)


@admin.register(VoteExclusion)
class VoteExclusionAdmin(admin.ModelAdmin):
    """Votes taken off the boards, each with its reason; deleting the row puts the vote back."""

    list_display = ("vote", "reason", "created_at")
    list_select_related = ("vote",)
    raw_id_fields = ("vote",)
    readonly_fields = ("created_at",)


@admin.register(Voter)
class VoterAdmin(ReadOnlyAdmin):
    """People and simulated voters."""

    list_display = ("id", "population", "preference", "created_at")
    list_filter = ("population",)
    exclude = ("key",)


@admin.register(Ticket)
class TicketAdmin(ReadOnlyAdmin):
    """Handed out, answered or not."""

    list_display = ("id", "voter", "matchup", "created_at")
    list_select_related = ("voter", "matchup__poll")


@admin.register(VoteLog)
class VoteLogAdmin(ReadOnlyAdmin):
    """The log's length."""

    list_display = ("id", "length")


@admin.register(FreePrompt)
class FreePromptAdmin(ReadOnlyAdmin):
    """Typed prompts and what became of them."""

    list_display = ("id", "prompt", "poll", "state", "rendered", "error", "created_at")
    list_filter = ("state", "poll")
    list_select_related = ("prompt", "poll")
