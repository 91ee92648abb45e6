"""The page of the next matchups, and of what planning them spares."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.leaderboard.models import MatchupPlan
from arena.leaderboard.replay import refresh
from arena.leaderboard.tasks import plan_soon
from arena.polls.models import Poll

# A plan is made anew once the poll has so many more votes than it was made of.
GROWTH, SECONDS = 1.05, 0.1


@require_safe
@never_cache
def next_matchups(request: HttpRequest, kind: str | None = None) -> HttpResponse:
    """The plan as it was last made; a worker is asked for a new one when there are many more votes."""
    polls = Poll.objects.order_by("id")
    poll = polls.filter(kind=kind).first() if kind else polls.first()
    if poll is None:
        known = ", ".join(polls.values_list("kind", flat=True)) or _("none yet")
        error = f"there is no poll {kind!r}; known: {known}"
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=404)
    if kind is None:
        return redirect("leaderboard:next", kind=poll.kind)
    plan, made = MatchupPlan.objects.get_or_create(poll=kind)
    counted = refresh("trueskill", kind, seconds=SECONDS).counted
    if made or not plan.matchups or counted > GROWTH * plan.votes:
        plan_soon(plan)
    context = {"section": "boards", "poll": poll, "plan": plan, "kinds": [(one.kind, one) for one in polls]}
    return render(request, "leaderboard/next.html", context | {"savings": [spelt(one) for one in plan.savings]})


def spelt(saving: dict[str, float]) -> dict[str, object]:
    """An experiment's result in percent."""
    low, high = 100 * (1 - saving["high"]), 100 * (1 - saving["low"])
    return saving | {"spared": 100 * (1 - saving["ratio"]), "spared_low": low, "spared_high": high}
