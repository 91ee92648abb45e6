"""Checkpoints side by side: any set of them as columns, the same prompts and seeds as rows (the paper's figure 24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from arena.gallery.finding import UnknownNameError, find_contestants, names_of
from arena.gallery.grid import Asked, PromptRow, choices_of, rows_of, shared_cells
from arena.gallery.lineage import family
from arena.gallery.models import Contestant, Sample
from arena.gallery.pages import naming_the_known

ROWS = 12


@dataclass(frozen=True)
class Column:
    """A contestant, the name that finds it again, and the query of the page without it."""

    contestant: Contestant
    name: str
    without: str


@dataclass(frozen=True)
class Cell:
    """A column's sample in a row, and the sample it may be subtracted from; None where there is none."""

    column: Column
    sample: Sample | None
    against: Sample | None


@require_safe
def checkpoints(request: HttpRequest) -> HttpResponse:
    """Every checkpoint in its family, to look at or to choose from."""
    return render(request, "gallery/checkpoints.html", {"section": "checkpoints", "family": family()})


@require_safe
@naming_the_known
def side_by_side(request: HttpRequest) -> HttpResponse:
    """The chosen checkpoints; `less` names the one from which differences are shown. 404 for unknown names."""
    get = request.GET.get
    found = {one.pk: one for name in request.GET.getlist("checkpoint") for one in find_contestants(name)}
    contestants = list(found.values())
    less = _place(contestants, get("less", ""))
    choices = choices_of(contestants)
    asked = choices.asked(get("set", ""), get("character", ""), get("seed", ""))
    cells = shared_cells(contestants, asked)
    page = Paginator(cells, ROWS).get_page(get("page"))
    rows = rows_of(contestants, list(page))
    names = names_of(contestants)
    columns = _columns(contestants, names, less, asked)
    context = {
        "section": "checkpoints",
        "family": family(),
        "columns": columns,
        "names": names,
        "chosen": {one.checkpoint_id for one in contestants},
        "choices": choices,
        "asked": asked,
        "less": None if less is None else columns[less],
        "rows": [(row, _cells(row, columns, less or 0)) for row in rows],
        "withheld": len(page) - len(rows),
        "page": page,
        "before": _query(names, less, asked, page.number - 1) if page.has_previous() else "",
        "after": _query(names, less, asked, page.number + 1) if page.has_next() else "",
    }
    return render(request, "gallery/side_by_side.html", context)


def _place(contestants: Sequence[Contestant], name: str) -> int | None:
    """The column that `less` names; None for no name. Raises UnknownNameError for one that is none of them."""
    if not name:
        return None
    found = find_contestants(name)[0]
    if found not in contestants:
        raise UnknownNameError(f"{name!r} is not among the checkpoints shown: name it with &checkpoint= as well")
    return contestants.index(found)


def _query(names: Sequence[str], less: int | None, asked: Asked, page: int = 1) -> str:
    """The page's address after the question mark, without what is left at its default."""
    given = [("checkpoint", name) for name in names]
    given += [] if less is None else [("less", names[less])]
    given += [("set", asked.prompt_set), ("character", asked.character), ("seed", asked.seed)]
    given += [("page", page)] if page > 1 else []
    return urlencode([(name, value) for name, value in given if value not in ("", None)])


def _columns(contestants: Sequence[Contestant], names: Sequence[str], less: int | None, asked: Asked) -> list[Column]:
    columns = []
    for at, contestant in enumerate(contestants):
        others = [*names[:at], *names[at + 1 :]]
        kept = None if less in (None, at) else less - (at < less)
        columns.append(Column(contestant, names[at], _query(others, kept, asked)))
    return columns


def _cells(row: PromptRow, columns: Sequence[Column], reference: int) -> list[Cell]:
    """The row's cells; all but the reference's own may be subtracted from it."""
    first = row.samples[reference]
    return [
        Cell(column, sample, first if sample != first else None)
        for column, sample in zip(columns, row.samples, strict=True)
    ]
