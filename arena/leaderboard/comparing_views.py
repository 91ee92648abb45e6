"""The page "Is B better than A?", for two checkpoints, or for several against a reference (docs/comparison.md)."""

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.gallery.finding import UnknownNameError, find_contestant, find_run, names_of
from arena.gallery.models import Contestant, Run
from arena.leaderboard.answering import answer_of, lines, percent
from arena.leaderboard.comparing import Comparing, compare_pair, compare_with, epochs_of
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.log import ReplayError
from arena.leaderboard.table import slice_of
from arena.leaderboard.tasks import catch_up
from arena.leaderboard.views import SECONDS, populations
from arena.polls.models import Poll
from arena.votes.models import Voter
from rating.errors import SettingError

FIELDS = ("a", "b", "reference")


@require_safe
@never_cache
def compare(request: HttpRequest) -> HttpResponse:
    """`a` and `b`; or `reference` with a `candidate` for each other, or with `run`. Without them the form alone.

    404 for names that do not exist, 400 for what cannot be compared, 500 for a log that cannot be rated.
    """
    context: dict[str, Any] = {"section": "boards"}
    status = 200
    try:
        named = {field: find_contestant(request.GET[field]) for field in FIELDS if request.GET.get(field)}
        context |= _form(request, named)
        found = _compared(request, named)
        context |= _told(found) if found else {}
        catch_up(found.run if found else None)
    except (UnknownNameError, UnknownBoardError) as error:
        return render(request, "gallery/unknown.html", {**context, "error": error}, status=404)
    except ReplayError as error:
        return render(request, "leaderboard/refused.html", {**context, "error": error}, status=500)
    except SettingError as error:
        context["refused"], status = error, 400
    return render(request, "leaderboard/compare.html", context, status=status)


def _compared(request: HttpRequest, named: dict[str, Contestant]) -> Comparing | None:
    """The comparison asked for; None where it is not named in full yet."""
    asked = request.GET
    population = asked.get("population") or Voter.Population.PEOPLE
    chosen = slice_of(asked.get("poll") or None, population, asked.get("slice", ""), None, timezone.now())
    if "reference" in named:
        others = [find_contestant(name) for name in asked.getlist("candidate") if name]
        if asked.get("run"):
            others += epochs_of(find_run(asked["run"]).name, named["reference"])
        return compare_with(named["reference"], others, chosen, seconds=SECONDS)
    return compare_pair(named["a"], named["b"], chosen, seconds=SECONDS) if {"a", "b"} <= named.keys() else None


def _told(found: Comparing) -> dict[str, Any]:
    told = lines(found.rows)
    return {
        "found": found,
        "answer": answer_of(found),
        "lines": told,
        "first": told[0] if told else None,
        "probability": percent(found.rows[0]["probability"]) if told and not found.reference else "",
    }


def _form(request: HttpRequest, named: dict[str, Contestant]) -> dict[str, Any]:
    """What may be asked for, and what was."""
    contestants = list(Contestant.objects.select_related("checkpoint__run", "lora").defer("checkpoint__manifest"))
    contestants.sort(key=lambda one: (-one.checkpoint.run_id, one.checkpoint.epoch, one.checkpoint.step, one.pk))
    kept = {name: request.GET.get(name) for name in ("poll", "population", "slice")}
    return {
        "kept": "".join(f"&{name}={quote(value)}" for name, value in kept.items() if value),
        "choices": list(zip(names_of(contestants), contestants, strict=True)),
        "runs": list(Run.objects.filter(checkpoints__isnull=False).distinct().values_list("name", flat=True)),
        "named": named,
        "asked": {name: request.GET.get(name, "") for name in ("run", "poll", "population", "slice")},
        "polls": Poll.Kind.choices,
        "populations": populations(),
    }
