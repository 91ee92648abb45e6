"""The boards' pages. `?fragment=1` answers the changing part alone, for the script that keeps it fresh."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.leaderboard.cuts import UnknownBoardError, known_cuts
from arena.leaderboard.drawing import chart
from arena.leaderboard.external import external_board, find_external
from arena.leaderboard.heading import Head
from arena.leaderboard.log import ReplayError
from arena.leaderboard.models import ExternalBoard
from arena.leaderboard.printing import DIGITS
from arena.leaderboard.table import METRICS, SCORED, TITLES, VOTED, Board, board
from arena.leaderboard.tasks import catch_up
from arena.polls.models import Poll
from arena.votes.models import Vote, Voter

# A page folds for so long at most; a worker does the rest.
SECONDS = 0.1
POPULATIONS = {"people": gettext_lazy("People"), "simulated": gettext_lazy("Simulated")}
CUT_TITLES = {
    "character": gettext_lazy("Character"),
    "content_rating": gettext_lazy("Content rating"),
    "resolution": gettext_lazy("Resolution"),
    "tag": gettext_lazy("Tag"),
}


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
        found = board(metric, kind, population, cut=request.GET.get("slice", ""), seconds=SECONDS)
    except UnknownBoardError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=404)
    except ReplayError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=500)
    catch_up(found.run)
    if "fragment" in request.GET:
        return render(request, "leaderboard/_board.html", _context(found))
    return render(request, "leaderboard/board.html", {**_context(found), **_tabs(found)})


@require_safe
@never_cache
def external(request: HttpRequest, name: str, metric: str = "trueskill", kind: str | None = None) -> HttpResponse:
    """A board of imported votes; 404 for names that do not exist."""
    try:
        kept, found = find_external(name), external_board(name, metric, kind)
    except UnknownBoardError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=404)
    polls = kept.names["polls"]
    context = {
        "section": "boards",
        "board": kept,
        "title": TITLES[metric],
        "metrics": [(one, TITLES[one]) for one in VOTED],
        "kinds": [(None, _("All polls")), *((poll, poll) for poll in polls)] if len(polls) > 1 else [],
    }
    return render(request, "leaderboard/external.html", {**_context(found), **context, "polls": {p: p for p in polls}})


def _context(found: Board) -> dict[str, object]:
    head = found.head
    digits = DIGITS.get(head.metric, 1)
    return {
        "head": head,
        "chart": chart(found.rows, digits, lower_is_better=head.lower_is_better),
        "is_elo": head.metric in {"elo", "elo-twa"},
        "axis_digits": digits if head.lower_is_better else 0,
        "unit": "\N{NO-BREAK SPACE}%" if head.metric == "winrate" else "",
        "polls": dict(Poll.Kind.choices),
    }


def populations() -> list[tuple[str, object]]:
    """Name and title of each population to choose from: none while simulated voters have not voted."""
    simulated = Vote.objects.filter(ticket__voter__population=Voter.Population.SIMULATED).exists()
    return list(POPULATIONS.items()) if simulated else []


def kept_of(head: Head) -> dict[str, str]:
    """What the address of a board says of its votes, beside the poll."""
    kept = {"population": head.population, "slice": head.cut}
    return {name: value for name, value in kept.items() if value and value != Voter.Population.PEOPLE}


def address_of(metric: str, head: Head) -> str:
    """Where the same votes are rated by another metric; nobody votes on `ccip`, so of all that only characters stay."""
    kept, poll = kept_of(head), [head.poll] if head.poll else []
    if metric == SCORED:
        kept, poll = {"slice": head.cut} if head.cut.startswith("character=") else {}, []
    return reverse("leaderboard:board", args=[metric, *poll]) + (f"?{urlencode(kept)}" if kept else "")


def _tabs(found: Board) -> dict[str, object]:
    """Links to the other boards."""
    head = found.head
    kept = kept_of(head)
    return {
        "section": "boards",
        "externals": list(ExternalBoard.objects.values_list("name", flat=True)),
        "title": TITLES[head.metric],
        "metrics": [(metric, TITLES[metric], address_of(metric, head)) for metric in METRICS],
        # A board without votes has neither polls nor voters.
        "kinds": [] if head.lower_is_better else [(None, _("All polls")), *Poll.Kind.choices],
        "populations": [] if head.lower_is_better else populations(),
        "query": f"?{urlencode(kept)}" if kept else "",
        "fragment": urlencode({"population": head.population, **kept, "fragment": 1}),
        "cuts": [
            (CUT_TITLES[name], name, values)
            for name, values in sorted(known_cuts().items())
            if len(values) > 1 and (name == "character" or not head.lower_is_better)
        ],
    }
