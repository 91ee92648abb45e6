"""Votes in Django's admin: the log is read, never written; here voters and flags are judged."""

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from arena.recorded import Kept
from arena.votes.models import FreePrompt, ImageFlag, Ticket, Vote, VoteExclusion, VoteLog, Voter
from arena.votes.moderation import decide, exclude_votes, include_votes
from arena.votes.revoking import revoke, unrevoke


def may_moderate(request: HttpRequest) -> bool:
    """Whether somebody may decide which votes count."""
    return request.user.has_perm("votes.add_voteexclusion")


@admin.register(Vote)
class VoteAdmin(Kept):
    """The log, newest first."""

    list_display = ("number", "poll", "voter", "outcome", "reason", "standing", "answered_after_ms", "created_at")
    list_filter = ("exclusion__state", "exclusion__rule", "ticket__matchup__poll", "ticket__voter__population")
    list_select_related = ("ticket__voter", "ticket__matchup__poll", "exclusion")
    ordering = ("-number",)

    @admin.display
    def poll(self, vote: Vote) -> str:
        """The poll it belongs to."""
        return str(vote.ticket.matchup.poll)

    @admin.display
    def voter(self, vote: Vote) -> str:
        """Who answered."""
        return str(vote.ticket.voter)

    @admin.display(description="counts")
    def standing(self, vote: Vote) -> str:
        """Whether it counts, and by which rule it does not."""
        return f"{vote.exclusion.state}: {vote.exclusion.rule}" if hasattr(vote, "exclusion") else "counted"


@admin.register(VoteExclusion)
class VoteExclusionAdmin(admin.ModelAdmin):
    """Votes that do not count, each with its rule and reason; deleting the row puts the vote back."""

    list_display = ("vote", "voter", "state", "rule", "reason", "created_at")
    list_filter = ("state", "rule")
    list_select_related = ("vote__ticket__voter",)
    search_fields = ("reason", "=vote__number", "=vote__ticket__voter__id")
    raw_id_fields = ("vote",)
    readonly_fields = ("created_at",)

    @admin.display
    def voter(self, exclusion: VoteExclusion) -> str:
        """Whose vote it is."""
        return str(exclusion.vote.ticket.voter)


@admin.register(Voter)
class VoterAdmin(Kept):
    """People and simulated voters; the unverified ones are those that wait for a look."""

    list_display = ("id", "population", "preference", "votes", "unverified", "excluded", "revoked_at", "created_at")
    list_filter = ("population", ("revoked_at", admin.EmptyFieldListFilter), "tickets__vote__exclusion__rule")
    search_fields = ("=id",)
    exclude = ("key",)
    actions = ("revoke_voters", "count_voters_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voter]:
        """With counts of votes."""
        states = VoteExclusion.State
        return (
            super()
            .get_queryset(request)
            .annotate(
                vote_count=Count("tickets__vote", distinct=True),
                unverified_count=Count(
                    "tickets__vote", Q(tickets__vote__exclusion__state=states.UNVERIFIED), distinct=True
                ),
                excluded_count=Count(
                    "tickets__vote", Q(tickets__vote__exclusion__state=states.EXCLUDED), distinct=True
                ),
            )
        )

    @admin.display(ordering="vote_count")
    def votes(self, voter: Voter) -> int:
        """How many votes."""
        return voter.vote_count

    @admin.display(ordering="unverified_count")
    def unverified(self, voter: Voter) -> int:
        """How many of them wait for a look."""
        return voter.unverified_count

    @admin.display(ordering="excluded_count")
    def excluded(self, voter: Voter) -> int:
        """How many of them do not count."""
        return voter.excluded_count

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Whoever may add exclusions may revoke."""
        return may_moderate(request)

    @admin.action(description="Revoke: take all votes off the boards, those to come included", permissions=["moderate"])
    def revoke_voters(self, request: HttpRequest, voters: QuerySet[Voter]) -> None:
        """Revoke those that are not revoked yet."""
        rows = sum(revoke(voter, f"by {request.user} in the admin") for voter in voters if not voter.revoked_at)
        self.message_user(request, f"{rows} votes left the boards.", messages.SUCCESS)

    @admin.action(description="Take the revocation back: count the votes again", permissions=["moderate"])
    def count_voters_again(self, request: HttpRequest, voters: QuerySet[Voter]) -> None:
        """Take revocations back."""
        rows = sum(unrevoke(voter) for voter in voters if voter.revoked_at)
        self.message_user(request, f"{rows} votes count again.", messages.SUCCESS)


@admin.register(ImageFlag)
class ImageFlagAdmin(Kept):
    """What volunteers objected to, undecided ones first; an undecided flag hides the image until it is decided."""

    list_display = ("image", "sample", "reason", "voter", "decision", "created_at", "decided_at")
    list_display_links = ("sample",)
    list_filter = (("decision", admin.EmptyFieldListFilter), "decision", "reason")
    list_select_related = ("sample__contestant__checkpoint", "voter")
    ordering = ("decided_at", "-created_at")
    actions = ("keep", "hide", "exclude_its_votes", "count_its_votes_again")

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Whoever may change flags may decide them."""
        return request.user.has_perm("votes.change_imageflag")

    def has_exclude_permission(self, request: HttpRequest) -> bool:
        """Whoever may add exclusions."""
        return may_moderate(request)

    @admin.display
    def image(self, raised: ImageFlag) -> str:
        """The image, small, under the name of one of its seats."""
        seat = raised.sample.seats.first()
        if seat is None:
            return ""
        return format_html('<img src="{}" width="96" alt="">', reverse("image", args=[seat.image_key]))

    @admin.action(description="Keep: the image is fine and comes back", permissions=["moderate"])
    def keep(self, request: HttpRequest, flags: QuerySet[ImageFlag]) -> None:
        """Settle the flags of these images in their favour."""
        self.message_user(request, f"{decide(flags, ImageFlag.Decision.KEPT)} flags decided.", messages.SUCCESS)

    @admin.action(description="Hide: the image comes in no matchup any more", permissions=["moderate"])
    def hide(self, request: HttpRequest, flags: QuerySet[ImageFlag]) -> None:
        """Settle the flags of these images against them."""
        self.message_user(request, f"{decide(flags, ImageFlag.Decision.HIDDEN)} flags decided.", messages.SUCCESS)

    @admin.action(description="Exclude its votes", permissions=["exclude"])
    def exclude_its_votes(self, request: HttpRequest, flags: QuerySet[ImageFlag]) -> None:
        """Take the votes on matchups with these images off the boards."""
        self.message_user(request, f"{exclude_votes(flags)} votes left the boards.", messages.SUCCESS)

    @admin.action(description="Count its votes again", permissions=["exclude"])
    def count_its_votes_again(self, request: HttpRequest, flags: QuerySet[ImageFlag]) -> None:
        """Take those rows away."""
        self.message_user(request, f"{include_votes(flags)} votes count again.", messages.SUCCESS)


@admin.register(Ticket)
class TicketAdmin(Kept):
    """Handed out, answered or not."""

    list_display = ("id", "voter", "matchup", "created_at", "shown_at", "revealed_at")
    list_select_related = ("voter", "matchup__poll")


@admin.register(VoteLog)
class VoteLogAdmin(Kept):
    """The log's length."""

    list_display = ("id", "length")


@admin.register(FreePrompt)
class FreePromptAdmin(Kept):
    """Typed prompts and what became of them."""

    list_display = ("id", "prompt", "poll", "voter", "state", "rendered", "error", "created_at")
    list_filter = ("state", "poll")
    list_select_related = ("prompt", "poll", "voter")
    search_fields = ("prompt__text",)
