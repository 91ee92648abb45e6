"""Pages of a run's epochs, and of a checkpoint's lineage and samples."""

import json
from collections.abc import Iterable, Set
from dataclasses import dataclass

from django.db.models import Count, F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from arena.gallery.finding import HASH_DIGITS, find_checkpoint, find_run, unknown_checkpoint
from arena.gallery.lineage import ancestors, changes, trained_by, trained_on
from arena.gallery.models import Checkpoint, Contestant, Prompt, Sample
from arena.gallery.pages import naming_the_known
from arena.gallery.withholding import Cell, withheld_cells

COLUMNS = 12
SAMPLES_PER_CHECKPOINT = 400


@dataclass(frozen=True)
class GridRow:
    """One checkpoint and its samples, in the order of the grid's columns; None where it has none (to show)."""

    checkpoint: Checkpoint
    cells: list[Sample | None]


@require_safe
@naming_the_known
def run(request: HttpRequest, name: str) -> HttpResponse:
    """A run's epochs as rows, the same prompts and seeds as columns, the checkpoint it started from on top."""
    found = find_run(name)
    checkpoints = list(found.checkpoints.select_related("run", "parent__run"))
    parents = [checkpoints[0].parent] if checkpoints and checkpoints[0].parent else []
    shown = [*parents, *checkpoints]
    columns = _columns(shown)
    withheld = withheld_cells({prompt.pk for prompt, _ in columns})
    context = {
        "section": "checkpoints",
        "run": found,
        "shown": shown,
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
    contestant = checkpoint.contestants.order_by(F("lora").asc(nulls_first=True), "pk").first()
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
@naming_the_known
def checkpoint(request: HttpRequest, sha12: str) -> HttpResponse:
    """What a checkpoint is, how it came about, what came of it, and everything that was rendered from it."""
    if len(sha12) < HASH_DIGITS:
        raise unknown_checkpoint(sha12)
    found = find_checkpoint(sha12)
    samples = Sample.objects.filter(contestant__checkpoint=found).select_related(
        "prompt__prompt_set", "contestant__lora"
    )
    listed = list(samples.order_by("prompt__prompt_set__slug", "prompt", "seed", "pk")[:SAMPLES_PER_CHECKPOINT])
    withheld = withheld_cells({sample.prompt_id for sample in listed})
    shown = [sample for sample in listed if (sample.prompt_id, sample.seed) not in withheld]
    context = {
        "section": "checkpoints",
        "checkpoint": found,
        "contestants": list(Contestant.objects.filter(checkpoint=found).select_related("lora")),
        "samples": shown,
        "listed": len(listed),
        "withheld": len(listed) - len(shown),
        "total": samples.count(),
        "facts": _facts(found),
        "manifest": json.dumps(found.manifest, indent=2, ensure_ascii=False),
        **_lineage(found),
    }
    return render(request, "gallery/checkpoint.html", context)


def _lineage(checkpoint: Checkpoint) -> dict[str, object]:
    """Where it comes from and what came of it: ancestors by run, the run's epochs, later runs, the training."""
    epochs = list(checkpoint.run.checkpoints.all())
    place = epochs.index(checkpoint)
    children = checkpoint.children.exclude(run=checkpoint.run).select_related("run")
    return {
        "ancestors": ancestors(checkpoint),
        "epochs": epochs,
        "earlier": epochs[place - 1] if place else checkpoint.parent,
        "children": list(children),
        "trained_on": trained_on(checkpoint),
        "trained_by": trained_by(checkpoint),
        "changes": changes(checkpoint),
    }


def _facts(checkpoint: Checkpoint) -> list[tuple[str, object]]:
    """The manifest's short fields, for the page's table; the whole of it stands below."""
    shown = ("preset", "architecture", "prediction_type", "config_sha256", "created_at")
    manifest = checkpoint.manifest
    return [(name.replace("_", " "), manifest[name]) for name in shown if name in manifest]
