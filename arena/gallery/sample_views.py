"""Pages of single samples: all about one, and how two of the same prompt and seed differ."""

import json

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from arena.gallery.again import render_command, verify_command
from arena.gallery.differences import GAINS, measured, pixels, subtract
from arena.gallery.lineage import differing, flat
from arena.gallery.models import Sample
from arena.gallery.withholding import is_withheld

OTHERS = 60


@require_safe
def sample(request: HttpRequest, pk: int) -> HttpResponse:
    """One image with its manifest, the command lines that render it again, and what others made of its prompt."""
    found = get_object_or_404(_samples(), pk=pk)
    if is_withheld(found):
        return _withheld(request)
    checkpoint = found.contestant.checkpoint
    trusted = request.user.is_staff
    commands = (
        [] if checkpoint.imported else [make(found, trusted=trusted) for make in (render_command, verify_command)]
    )
    same = _samples().filter(prompt=found.prompt_id, seed=found.seed).exclude(pk=pk)
    context = {
        "section": "checkpoints",
        "sample": found,
        "checkpoint": checkpoint,
        "recipe": found.contestant.recipe,
        **dict(zip(("render", "verify"), commands, strict=False)),
        "known_place": not any("PATH/" in line for line in commands),
        "others": list(same.order_by("contestant__checkpoint__run", "contestant__checkpoint__epoch", "pk")[:OTHERS]),
        "manifest": json.dumps(found.manifest, indent=2, ensure_ascii=False),
    }
    return render(request, "gallery/sample.html", context)


@require_safe
def difference(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """Sample `pk` and the one that is subtracted from it, what is left, in pixels and in the manifests."""
    one, less = (get_object_or_404(_samples(), pk=key) for key in (pk, other))
    if (one.prompt_id, one.seed) != (less.prompt_id, less.seed):
        raise Http404("only samples of one prompt and seed are subtracted")
    gain = request.GET.get("gain", "4")
    if gain not in map(str, GAINS):
        raise Http404(f"differences are multiplied by one of {GAINS}")
    if is_withheld(one):
        return _withheld(request)
    subtracted = subtract(pixels(one), pixels(less))
    context = {
        "section": "checkpoints",
        "sample": one,
        "less": less,
        "difference": subtracted and measured(subtracted),
        "gain": gain,
        "gains": list(map(str, GAINS)),
        "changes": differing(flat(less.manifest), flat(one.manifest)),
    }
    return render(request, "gallery/difference.html", context)


def _samples() -> QuerySet[Sample]:
    return Sample.objects.select_related("contestant__checkpoint__run", "contestant__lora", "prompt__character")


def _withheld(request: HttpRequest) -> HttpResponse:
    return render(request, "gallery/withheld.html", {"section": "checkpoints"}, status=404)
