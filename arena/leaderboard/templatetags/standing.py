"""Where a contestant stands, for pages of apps below this one: `{% standings poll.kind as earlier %}`."""

from dataclasses import dataclass

from django import template

from arena.leaderboard.models import Standing
from arena.leaderboard.tasks import keep_up

METRIC = "trueskill"
register = template.Library()


@dataclass(frozen=True, slots=True)
class Place:
    """A rank among `total` ranked contestants, after `votes` votes on this one."""

    rank: int
    total: int
    votes: int


@register.simple_tag
def standings(kind: str) -> dict[int, Place]:
    """The people's TrueSkill board of a poll as it was last folded, by contestant.

    Nothing is rated for it now; a worker is asked to bring the board on for the next voter.
    """
    keep_up(METRIC, kind)
    rows = Standing.objects.filter(
        rating_run__metric=METRIC,
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
