"""Where a contestant stands, for pages of apps below this one: `{% standings poll.kind as earlier %}`."""

from dataclasses import dataclass

from django import template

from arena.leaderboard.models import Standing

register = template.Library()


@dataclass(frozen=True, slots=True)
class Place:
    """A rank among `total` ranked contestants, after `votes` votes on this one."""

    rank: int
    total: int
    votes: int


@register.simple_tag
def standings(kind: str) -> dict[int, Place]:
    """The people's TrueSkill board of a poll as it was last folded, by contestant; nothing is rated for it now."""
    rows = Standing.objects.filter(
        rating_run__metric="trueskill",
        rating_run__poll=kind,
        rating_run__population="people",
        rating_run__cut="",
        rank__isnull=False,
    )
    ranked = list(rows.values_list("contestant_id", "rank", "votes"))
    return {contestant: Place(rank, len(ranked), votes) for contestant, rank, votes in ranked}


@register.filter
def of(places: dict[int, Place], contestant: int) -> Place | None:
    """One contestant's place; None where it has none."""
    return places.get(contestant)
