"""Polls in Django's admin: rules and enrolments are edited, matchups only read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from arena.polls.models import Enrolment, Matchup, Poll, Seat


class EnrolmentInline(admin.TabularInline):
    """Who takes part; a date of withdrawal takes a contestant out of new matchups."""

    model = Enrolment
    extra = 0
    readonly_fields = ("appearances",)
    raw_id_fields = ("contestant",)


@admin.register(Poll)
class PollAdmin(admin.ModelAdmin):
    """The rules of a poll."""

    list_display = ("kind", "question", "is_open", "goal", "content_rating", "prompt_set")
    list_editable = ("is_open",)
    inlines = (EnrolmentInline,)


@admin.register(Enrolment)
class EnrolmentAdmin(admin.ModelAdmin):
    """Who takes part where."""

    list_display = ("contestant", "poll", "appearances", "created_at", "withdrawn_at")
    list_filter = ("poll",)
    list_select_related = ("contestant__checkpoint", "poll")
    readonly_fields = ("appearances",)
    raw_id_fields = ("contestant",)


class SeatInline(admin.TabularInline):
    """Who sat where."""

    model = Seat
    extra = 0
    can_delete = False
    readonly_fields = ("position", "sample", "image_key")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A matchup's seats are never changed."""
        return False


@admin.register(Matchup)
class MatchupAdmin(admin.ModelAdmin):
    """What was asked; made by the pairing rule only."""

    list_display = ("id", "poll", "prompt", "seed", "rule", "created_at")
    list_filter = ("poll", "rule")
    list_select_related = ("poll", "prompt")
    readonly_fields = ("poll", "prompt", "seed", "rule", "created_at")
    inlines = (SeatInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Made by the pairing rule only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A vote rests on it."""
        return False
