"""Boards in the admin: to look at and to rebuild, never to edit, for votes are the truth."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from arena.leaderboard.models import ExternalBoard, RatingRun, Standing, Study
from arena.leaderboard.replay import rebuild
from arena.recorded import Kept, Recorded


@admin.register(RatingRun)
class RatingRunAdmin(Kept):
    """The state of each board."""

    list_display = (
        "metric",
        "poll",
        "population",
        "cut",
        "methodology",
        "through",
        "counted",
        "log_sha256",
        "updated_at",
    )
    list_filter = ("metric", "poll", "population")
    actions = ("replay",)

    @admin.action(description="Replay the whole vote log", permissions=["view"])
    def replay(self, request: HttpRequest, runs: QuerySet[RatingRun]) -> None:
        """Rebuild the chosen boards from zero."""
        for board in list(runs.values_list("metric", "poll", "population", "cut")):
            rebuilt = rebuild(*board)
            self.message_user(request, f"{rebuilt}: {rebuilt.counted} votes replayed", messages.SUCCESS)


@admin.register(Standing)
class StandingAdmin(Kept):
    """The rows of each board."""

    list_display = (
        "rating_run",
        "rank",
        "rank_high",
        "contestant",
        "value",
        "average",
        "low",
        "high",
        "votes",
        "wins",
        "losses",
        "draws",
    )
    list_filter = ("rating_run",)
    list_select_related = ("rating_run", "contestant__checkpoint")


@admin.register(ExternalBoard)
class ExternalBoardAdmin(Recorded):
    """Imported votes: to look at, and to take away again."""

    list_display = ("name", "source", "file_name", "votes", "created_at")
    fields = ("name", "source", "file_name", "file_sha256", "votes", "created_at")


@admin.register(Study)
class StudyAdmin(Kept):
    """What figures are drawn from; made anew by itself."""

    list_display = ("poll", "population", "cut", "state", "through", "counted", "updated_at")
    list_filter = ("poll", "population")
    exclude = ("data",)
