"""The page of a LoRA: what it is, and every checkpoint that it was added to (the paper's figure 10)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from arena.gallery.finding import find_lora, names_of
from arena.gallery.models import Contestant
from arena.gallery.pages import naming_the_known


@dataclass(frozen=True)
class Bearer:
    """A contestant with the LoRA, the same without it if there is one, and the question that compares the two."""

    contestant: Contestant
    plain: Contestant | None
    question: str


@require_safe
@naming_the_known
def lora(request: HttpRequest, sha12: str) -> HttpResponse:
    """One LoRA on every checkpoint, with the same checkpoints without it."""
    found = find_lora(sha12)
    known = Contestant.objects.select_related("checkpoint__run", "lora")
    order = ("checkpoint__run", "checkpoint__epoch", "checkpoint__step", "lora_scale", "pk")
    bearers = _bearers(known.filter(lora=found).order_by(*order), known.filter(lora=None))
    shown = [one for bearer in bearers for one in (bearer.plain, bearer.contestant) if one]
    columns = list(dict.fromkeys(shown))
    context = {
        "section": "checkpoints",
        "lora": found,
        "bearers": bearers,
        "side_by_side": urlencode([("checkpoint", name) for name in names_of(columns)]),
    }
    return render(request, "gallery/lora.html", context)


def _bearers(with_lora: Iterable[Contestant], without: Iterable[Contestant]) -> Sequence[Bearer]:
    """Each contestant with that of the same checkpoint and recipe which lacks only the LoRA."""
    plain = {(one.checkpoint_id, one.frozen_recipe()): one for one in without}
    pairs = [(one, plain.get((one.checkpoint_id, one.frozen_recipe()))) for one in with_lora]
    return [Bearer(one, other, _question(other, one) if other else "") for one, other in pairs]


def _question(a: Contestant, b: Contestant) -> str:
    return urlencode(dict(zip("ab", names_of([a, b]), strict=True)))
