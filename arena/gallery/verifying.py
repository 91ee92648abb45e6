"""Whether samples come out again as they are stored: each is rendered anew from its archive's own manifest.

Runs in a command: torch is loaded by dotted path.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from arena.gallery.models import Sample
from arena.gallery.rendering import sound_origin
from generation.errors import GenerationError
from generation.imageio import pixel_sha256, read_archive
from generation.provenance import IMPORTED

OUTCOMES = {0: "exact", 3: "within 1/255 in another environment", 4: "different"}


@dataclass(frozen=True)
class Verified:
    """What became of a sample: one of `OUTCOMES`, "imported", or "different" with the fields or the reason."""

    sample: Sample
    outcome: str
    differing: tuple[str, ...] = ()


def verify_samples(samples: Iterable[Sample], on_each: Callable[[], object]) -> list[Verified]:
    """Each sample rendered again; one that cannot be is different, and says why."""
    found = []
    for sample in samples:
        found.append(_verified(sample))
        on_each()
    return found


def _verified(sample: Sample) -> Verified:
    try:
        with sample.archive.open() as file:
            image, manifest = read_archive(file.read())
        if pixel_sha256(image) != sample.pixel_sha256:
            return Verified(sample, OUTCOMES[4], ("the archive's pixels are not those of the row",))
        if manifest.get("mode") == IMPORTED:
            return Verified(sample, IMPORTED)
        verify: Any = import_string("generation.verify.verify")
        result = verify(image, manifest, sound_origin(sample.contestant), device=settings.ARENA_DEVICE)
    except (GenerationError, ValueError, OSError) as error:  # ValueError: a manifest with impossible threads, say
        return Verified(sample, OUTCOMES[4], (str(error),))
    return Verified(sample, OUTCOMES[result.code], result.differing)
