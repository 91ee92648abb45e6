"""Boards in the admin: to look at and to rebuild, never to edit, for votes are the truth."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from arena.leaderboard.models import ExternalBoard, RatingRun, Standing, Study
from arena.leaderboard.replay import rebuild


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that are derived from others."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never by hand."""
        return False


@admin.register(RatingRun)
class RatingRunAdmin(ReadOnlyAdmin):
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
class StandingAdmin(ReadOnlyAdmin):
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
class ExternalBoardAdmin(ReadOnlyAdmin):
    """Imported votes: to look at, and to take away again."""

    list_display = ("name", "source", "file_name", "votes", "created_at")
    fields = ("name", "source", "file_name", "file_sha256", "votes", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """As for any other row."""
        return bool(request.user.has_perm("leaderboard.delete_externalboard"))


@admin.register(Study)
class StudyAdmin(ReadOnlyAdmin):
    """What figures are drawn from; made anew by itself."""

    list_display = ("poll", "population", "cut", "state", "through", "counted", "updated_at")
    list_filter = ("poll", "population")
    exclude = ("data",)
