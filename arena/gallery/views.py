"""Pages that may name checkpoints: a run's epochs, a checkpoint's samples, and the images on them."""

import json
from collections.abc import Iterable, Set
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db.models import Count
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from arena.gallery.models import Character, Checkpoint, Contestant, Prompt, Run, Sample
from arena.gallery.withholding import Cell, withheld_cells

COLUMNS = 12
HASH_DIGITS = 12
SAMPLES_PER_CHECKPOINT = 400
# Not for long, and in nobody's cache but the visitor's own: an image may have to be kept back.
SECONDS_KEPT = 600


@dataclass(frozen=True)
class GridRow:
    """One checkpoint and its samples, in the order of the grid's columns; None where it has none (to show)."""

    checkpoint: Checkpoint
    cells: list[Sample | None]


@require_safe
def run(request: HttpRequest, name: str) -> HttpResponse:
    """A run's epochs as rows, the same prompts and seeds as columns, the checkpoint it started from on top."""
    found = get_object_or_404(Run, name=name)
    checkpoints = list(found.checkpoints.select_related("run", "parent__run"))
    parents = [checkpoints[0].parent] if checkpoints and checkpoints[0].parent else []
    shown = [*parents, *checkpoints]
    columns = _columns(shown)
    withheld = withheld_cells({prompt.pk for prompt, _ in columns})
    context = {
        "section": "status",
        "run": found,
        "columns": columns,
        "rows": [GridRow(checkpoint, _cells(checkpoint, columns, withheld)) for checkpoint in shown],
        "withheld": len(withheld & {(prompt.pk, seed) for prompt, seed in columns}),
        "references": _references(columns),
    }
    return render(request, "gallery/run.html", context)


def _columns(checkpoints: list[Checkpoint]) -> list[tuple[Prompt, int]]:
    """Up to `COLUMNS` prompts with a seed each, characters first: those that most of the checkpoints have.

    Every prompt set has its share, and no character or free prompt comes twice.
    """
    rendered = Sample.objects.filter(contestant__checkpoint__in=checkpoints, prompt__origin=Prompt.Origin.SET)
    counted = rendered.values_list("prompt", "seed").annotate(n=Count("contestant", distinct=True))
    most = counted.order_by("-n", "seed", "prompt")
    prompts = Prompt.objects.select_related("character").in_bulk({prompt for prompt, _, _ in most})
    by_set: dict[int, dict[object, tuple[Prompt, int]]] = {}
    for pk, seed, _ in most:
        prompt = prompts[pk]
        by_set.setdefault(prompt.prompt_set_id, {}).setdefault(prompt.character or pk, (prompt, seed))
    share = -(-COLUMNS // max(1, len(by_set)))
    chosen = [column for columns in by_set.values() for column in list(columns.values())[:share]][:COLUMNS]
    return sorted(chosen, key=lambda column: column[0].character is None)


def _cells(checkpoint: Checkpoint, columns: Iterable[tuple[Prompt, int]], withheld: Set[Cell]) -> list[Sample | None]:
    contestant = checkpoint.contestants.order_by("pk").first()
    columns = list(columns)
    samples = Sample.objects.filter(contestant=contestant, prompt__in={prompt for prompt, _ in columns})
    found = {(sample.prompt_id, sample.seed): sample for sample in samples}
    found = {cell: sample for cell, sample in found.items() if cell not in withheld}
    return [found.get((prompt.pk, seed)) for prompt, seed in columns]


def _references(columns: Iterable[tuple[Prompt, int]]) -> list[str]:
    """Address of a reference image under each column that asks for a character; empty where none does."""
    characters = [prompt.character for prompt, _ in columns]
    found = [reverse("reference", args=[c.name, 1]) if c and c.references else "" for c in characters]
    return found if any(found) else []


@require_safe
def checkpoint(request: HttpRequest, sha12: str) -> HttpResponse:
    """What a checkpoint is, how it came about, and everything that was rendered from it."""
    if len(sha12) < HASH_DIGITS:
        raise Http404(f"give at least {HASH_DIGITS} digits of the content hash")
    found = get_object_or_404(Checkpoint.objects.select_related("run", "parent"), sha256__startswith=sha12)
    samples = Sample.objects.filter(contestant__checkpoint=found).select_related("prompt__prompt_set", "contestant")
    listed = list(samples.order_by("prompt__prompt_set__slug", "prompt", "seed", "pk")[:SAMPLES_PER_CHECKPOINT])
    withheld = withheld_cells({sample.prompt_id for sample in listed})
    shown = [sample for sample in listed if (sample.prompt_id, sample.seed) not in withheld]
    context = {
        "section": "status",
        "checkpoint": found,
        "contestants": list(Contestant.objects.filter(checkpoint=found)),
        "samples": shown,
        "listed": len(listed),
        "withheld": len(listed) - len(shown),
        "total": samples.count(),
        "facts": _facts(found),
        "manifest": json.dumps(found.manifest, indent=2, ensure_ascii=False),
    }
    return render(request, "gallery/checkpoint.html", context)


def _facts(checkpoint: Checkpoint) -> list[tuple[str, object]]:
    """The manifest's short fields, for the page's table; the whole of it stands below."""
    shown = ("preset", "architecture", "prediction_type", "config_sha256", "created_at")
    manifest = checkpoint.manifest
    return [(name.replace("_", " "), manifest[name]) for name in shown if name in manifest]


@require_safe
@cache_control(private=True, max_age=SECONDS_KEPT)
def sample(request: HttpRequest, pk: int) -> FileResponse:
    """A sample's blind copy, unless it is kept back. Booth pages use other addresses, which name nothing."""
    found = get_object_or_404(Sample, pk=pk)
    if (found.prompt_id, found.seed) in withheld_cells({found.prompt_id}):
        raise Http404("this image is being judged just now, or was flagged")
    return _png(found.blind.name)


@require_safe
@cache_control(public=True, max_age=3600)
def reference(request: HttpRequest, name: str, number: int) -> FileResponse:
    """Reference image `number` (from 1) of a character."""
    references = get_object_or_404(Character, name=name).references
    if not 1 <= number <= len(references):
        raise Http404(f"{name} has {len(references)} reference images")
    return _png(references[number - 1])


def _png(name: str) -> FileResponse:
    try:
        return FileResponse(default_storage.open(name), content_type="image/png")
    except FileNotFoundError as error:
        raise Http404("the image is no longer in the store") from error
