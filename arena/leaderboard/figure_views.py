"""The figures' pages, and each figure as SVG, PNG and CSV."""

from dataclasses import replace
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.evaluations.models import ProbeScore
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.figures.asking import Ask, Figure, Table
from arena.leaderboard.figures.making import KINDS, made
from arena.leaderboard.figures.of_run import runs_with_epochs
from arena.leaderboard.figures.of_scores import MEASURES
from arena.leaderboard.figures.png import png
from arena.leaderboard.figures.svg import NARROW, WIDE, darkened
from arena.leaderboard.log import ReplayError
from arena.leaderboard.views import SECONDS, populations
from arena.polls.models import Poll
from arena.votes.models import Voter

# Rows of a table that the page shows; files have all. The first table is open where it is no longer than that.
ROWS_SHOWN, ROWS_OPEN = 100, 30
ASKED = ("metric", "poll", "population", "slice", "run", "earlier", "later")
TYPES = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv; charset=utf-8"}
# The paper's figures: (its number, kind, metric, poll).
PAPER = (
    ("5", "ratings", "elo-twa", "fixed"),
    ("5", "ratings", "elo", "ffa"),
    ("6", "ratings", "elo", "duel"),
    ("7", "ratings", "ccip-difference", ""),
    ("8", "ratings", "trueskill", "fixed"),
    ("8", "ratings", "trueskill", "ffa"),
    ("9", "ratings", "trueskill", "duel"),
)


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """All figures there are, those of the paper among them."""
    kinds = dict(Poll.Kind.choices)
    paper = [
        {
            "number": number,
            "title": KINDS[kind].metrics[metric],
            "poll": kinds.get(poll, ""),
            "url": _address(Ask(kind, metric, poll)),
        }
        for number, kind, metric, poll in PAPER
    ]
    others = [{"title": kind.title, "url": _address(Ask(name))} for name, kind in KINDS.items()]
    return render(request, "leaderboard/figures.html", {"section": "boards", "paper": paper, "others": others})


@require_safe
@never_cache
def figure_page(request: HttpRequest, kind: str) -> HttpResponse:
    """One figure with its tables; 404 for names that do not exist, 500 for a log that cannot be rated."""
    ask = _asked(request, kind)
    try:
        found = made(ask, seconds=SECONDS)
    except UnknownBoardError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=404)
    except ReplayError as error:
        return render(request, "leaderboard/refused.html", {"section": "boards", "error": error}, status=500)
    return render(request, "leaderboard/figure.html", _context(ask, found))


@require_safe
@never_cache
def figure_file(request: HttpRequest, kind: str, form: str) -> HttpResponse:
    """The same figure as a file: SVG, PNG, or one of its tables as CSV (`?table=NAME`, the first without it).

    For pages that embed it, an SVG is narrow with `?narrow=1`, and in the colours of dark pages with `?dark=1`.
    """
    ask = _asked(request, kind)
    try:
        found = made(ask, seconds=SECONDS)
        content = _file(found, form, request.GET)
    except UnknownBoardError as error:
        return HttpResponse(str(error), status=404, content_type="text/plain; charset=utf-8")
    except ReplayError as error:
        return HttpResponse(str(error), status=500, content_type="text/plain; charset=utf-8")
    name = slugify(found.title) or kind
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return HttpResponse(content, content_type=TYPES[form], headers=headers)


def _file(found: Figure, form: str, asked: QueryDict) -> bytes | str:
    if form == "svg":
        svg = found.svg(NARROW if "narrow" in asked else WIDE)
        return darkened(svg) if "dark" in asked else svg
    if form == "png":
        height = found.draw(WIDE).height if found.draw else 1.0
        return png(found.svg(), height)
    return table_of(found, asked.get("table", "")).as_csv()


def table_of(found: Figure, name: str) -> Table:
    """A figure's table by name, the first one for none. Raises UnknownBoardError."""
    known = {table.name: table for table in found.tables}
    if not known:
        raise UnknownBoardError(f"there are no numbers yet: {found.message}")
    if name and name not in known:
        raise UnknownBoardError(f"there is no table {name!r}; known: {', '.join(known)}")
    return known[name] if name else next(iter(known.values()))


def _asked(request: HttpRequest, kind: str) -> Ask:
    given = {name: request.GET.get(name, "") for name in ASKED}
    given["population"] = given["population"] or Voter.Population.PEOPLE
    given["cut"] = given.pop("slice")
    return Ask(kind, **given)


def _address(ask: Ask, form: str = "", **more: str) -> str:
    given = {"metric": ask.metric, "poll": ask.poll, "slice": ask.cut, "run": ask.run}
    given |= {"population": "" if ask.population == Voter.Population.PEOPLE else ask.population}
    given |= {"earlier": ask.earlier, "later": ask.later} | more
    query = urlencode({name: value for name, value in given.items() if value})
    names = {"kind": ask.kind} | ({"form": form} if form else {})
    path = reverse("leaderboard:figure-file" if form else "leaderboard:figure", kwargs=names)
    return f"{path}?{query}" if query else path


def _with_metric(ask: Ask, metric: str) -> Ask:
    """The same figure by another metric; scores have no polls and slices."""
    if ask.kind == "ratings" and metric in MEASURES:
        return Ask(ask.kind, metric)
    return replace(ask, metric=metric)


def _never_probed() -> set[str]:
    """Metrics of probes that nobody has a score of; the pages do not offer them."""
    probed = set(ProbeScore.objects.values_list("probe", flat=True).distinct())
    return {name for name, measure in MEASURES.items() if measure.probe and measure.probe not in probed}


def _context(ask: Ask, found: Figure) -> dict[str, object]:
    kind = KINDS[ask.kind]
    metric = ask.metric or next(iter(kind.metrics), "")
    plain = replace(ask, earlier="", later="")
    hidden, scored = _never_probed(), ask.kind == "ratings" and metric in MEASURES
    polls = [("", _("All polls")), *Poll.Kind.choices]
    return {
        "section": "boards",
        "figure": found,
        "ask": replace(ask, metric=metric),
        # Every text in them was escaped when it was drawn.
        "wide": mark_safe(found.svg(WIDE)),
        "narrow": mark_safe(found.svg(NARROW)),
        "tables": [{"table": table, "shown": table.rows[:ROWS_SHOWN], "total": len(table.rows),
                    "open": not at and len(table.rows) <= ROWS_OPEN,
                    "url": _address(ask, "csv", table=table.name)} for at, table in enumerate(found.tables)],
        "files": [(form.upper(), _address(ask, form)) for form in TYPES if form != "csv" or found.tables],
        "kinds": [(one.title, _address(Ask(name, poll=ask.poll, population=ask.population)), name == ask.kind)
                  for name, one in KINDS.items()],
        "metrics": [(title, _address(_with_metric(plain, name)), name == metric)
                    for name, title in kind.metrics.items() if name == metric or name not in hidden],
        # A score has neither polls nor voters.
        "polls": [] if scored else
                 [(title, _address(replace(plain, poll=name)), name == ask.poll) for name, title in polls],
        "populations": [] if scored else
                       [(title, _address(replace(plain, population=name)), name == ask.population)
                        for name, title in populations()],
        "runs": runs_with_epochs() if ask.kind == "trend" else [],
        **found.extra,
    }  # fmt: skip
