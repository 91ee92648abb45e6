"""Which images the public pages keep back, so that nobody looks up a matchup before answering it (docs/votes.md).

A *cell* is one prompt with one seed. Always the whole cell is kept back, of every contestant: were it one image, its
very absence would name it. Matchups, tickets, flags and typed prompts belong to apps that stand on this one; they are
reached from the prompt and the sample.
"""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from arena.gallery.models import Prompt, Sample

Cell = tuple[int, int]
"""Primary key of the prompt, and the seed."""


def withheld_cells(prompts: Collection[int]) -> set[Cell]:
    """Cells of these prompts that are being judged, are rendered for somebody who typed them, or are flagged."""
    if not prompts:
        return set()
    since = timezone.now() - timedelta(minutes=settings.ARENA_WITHHOLD_MINUTES)
    asked = Prompt.objects.filter(pk__in=prompts)
    judged = asked.filter(matchups__tickets__created_at__gte=since, matchups__tickets__vote=None)
    typed = asked.filter(free_prompts__state__in=("queued", "rendering"))
    return {
        *judged.values_list("pk", "matchups__seed"),
        *typed.values_list("pk", "free_prompts__seed"),
        *flagged_cells(Sample.objects.filter(prompt__in=prompts)),
    }


def is_withheld(sample: Sample) -> bool:
    """Whether the sample's cell is kept back."""
    return (sample.prompt_id, sample.seed) in withheld_cells({sample.prompt_id})


def flagged_cells(samples: QuerySet[Sample]) -> set[Cell]:
    """Cells of these samples with an image that volunteers flagged and no admin has kept, or that an admin hid."""
    waiting = Count("flags", filter=Q(flags__decision=None, flags__voter__revoked_at=None))
    hidden = Count("flags", filter=Q(flags__decision="hidden"))
    flagged = samples.filter(flags__isnull=False).order_by().values("prompt_id", "seed")
    # Mostly there is none, and looking that up is a quarter of the work.
    if not flagged.exists():
        return set()
    cells = flagged.annotate(waiting=waiting, hidden=hidden)
    cells = cells.filter(Q(waiting__gte=settings.ARENA_FLAGS_TO_HIDE) | Q(hidden__gt=0))
    return set(cells.values_list("prompt_id", "seed"))
