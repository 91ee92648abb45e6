"""The boards' pages. `?fragment=1` answers the changing part alone, for the script that keeps it fresh."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.leaderboard.drawing import chart
from arena.leaderboard.log import ReplayError
from arena.leaderboard.table import Board, UnknownBoardError, board
from arena.polls.models import Poll
from arena.votes.models import Vote, Voter
from rating.registry import SYSTEMS

TITLES = {"trueskill": "TrueSkill", "elo": "Elo", "elo-twa": gettext_lazy("Elo average")}
POPULATIONS = {"people": gettext_lazy("People"), "simulated": gettext_lazy("Simulated")}


@require_safe
def boards(request: HttpRequest) -> HttpResponse:
    """The first board: TrueSkill over all polls."""
    return redirect("leaderboard:board", metric="trueskill")


@require_safe
@never_cache
def one_board(request: HttpRequest, metric: str, kind: str | None = None) -> HttpResponse:
    """One board up to date; 404 for names that do not exist, 500 for a log that cannot be rated."""
    population = request.GET.get("population", Voter.Population.PEOPLE)
    try:
        found = board(metric, kind, population)
    except UnknownBoardError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=404)
    except ReplayError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=500)
    if "fragment" in request.GET:
        return render(request, "leaderboard/_board.html", _context(found))
    return render(request, "leaderboard/board.html", {**_context(found), **_tabs(found)})


def _context(found: Board) -> dict[str, object]:
    return {"head": found.head, "chart": chart(found.rows), "is_elo": found.head.metric in {"elo", "elo-twa"}}


def _tabs(found: Board) -> dict[str, object]:
    """Links to the other boards. People and simulated voters get tabs only where the latter have voted."""
    simulated = Vote.objects.filter(ticket__voter__population=Voter.Population.SIMULATED).exists()
    return {
        "section": "boards",
        "title": TITLES.get(found.head.metric, found.head.metric),
        "metrics": [(metric, TITLES.get(metric, metric)) for metric in SYSTEMS],
        "polls": [(None, _("All polls")), *Poll.Kind.choices],
        "populations": POPULATIONS.items() if simulated else [],
        "query": f"?population={found.head.population}" if found.head.population != Voter.Population.PEOPLE else "",
    }
