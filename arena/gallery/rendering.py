"""Rendering samples that are missing. Runs in the worker: the renderer comes by dotted path and loads torch."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models.fields.files import FieldFile
from django.utils.module_loading import import_string

from arena.gallery.models import Contestant, Prompt, Sample
from generation.checkpoint import CheckpointError, file_sha256, read_checkpoint
from generation.errors import RenderError
from generation.files import Signature, signature
from generation.imageio import archive_png, blind_png, pixel_sha256
from generation.lora_file import LoraRef
from generation.matchup import conditions_hash
from generation.recipe import Broken

Job = tuple[Prompt, int]


def render_missing(
    contestant: Contestant,
    jobs: Iterable[Job],
    *,
    should_stop: Callable[[], bool] | None = None,
    on_sample: Callable[[Sample], None] | None = None,
    on_broken: Callable[[Prompt, int, str], None] | None = None,
) -> int:
    """Render those (prompt, seed) pairs of a contestant that have no Sample yet.

    Doing it again, after a crash at any point or in two processes at once, adds no second Sample.

    Args:
        contestant: whose checkpoint and frozen recipe render.
        jobs: prompts and seeds, in the order in which they are wanted.
        should_stop: asked between steps; when it answers true, generation.errors.Cancelled is raised.
        on_sample: told of every new Sample once it is committed.
        on_broken: told of a prompt, a seed and why no usable image came of them; the others are rendered all the same.

    Returns:
        How many samples were added.

    Raises:
        CheckpointError: the checkpoint's folder or the LoRA's file is gone or no longer holds what was registered.
        ValueError: a prompt that the renderer does not take.
        RenderError: an image is broken, and there is no `on_broken` to tell.
    """
    wanted = missing(contestant, jobs)
    if not wanted:
        return 0
    requests = [prompt.request(seed) for prompt, seed in wanted]
    outcomes = LOADED.of(contestant).attempt(contestant.frozen_recipe(), requests, should_stop=should_stop)
    added = 0
    for (prompt, seed), outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, Broken):
            if on_broken is None:
                raise RenderError(outcome.problem)
            on_broken(prompt, seed, outcome.problem)
        elif sample := _keep(contestant, prompt, seed, outcome):
            added += 1
            if on_sample:
                on_sample(sample)
    return added


def missing(contestant: Contestant, jobs: Iterable[Job]) -> list[Job]:
    """The jobs that have no Sample yet, each once, in the given order."""
    asked = {(prompt.pk, seed): (prompt, seed) for prompt, seed in jobs}
    present = Sample.objects.filter(contestant=contestant, prompt_id__in={pk for pk, _ in asked})
    for key in present.values_list("prompt_id", "seed"):
        asked.pop(key, None)
    return list(asked.values())


class LoadedRenderer:
    """One renderer for all contestants: it holds one at a time and changes in place, weights staying in memory.

    ``at`` is when the loaded one came (seconds since 1970), ``swap_seconds`` what that took, without the
    hashing of files that were not seen before; 0 for the very first.
    """

    def __init__(self) -> None:
        self._kind: Any = None
        self._renderer: Any = None
        self._key: tuple[str, str, str] | None = None
        self._sound: dict[tuple[str, str, str], Signature] = {}
        self.at = 0.0
        self.swap_seconds = 0.0

    def of(self, contestant: Contestant) -> Any:
        """The renderer of this contestant. Raises CheckpointError if its files no longer hold these weights."""
        kind = (
            *(settings.ARENA_RENDERER, settings.ARENA_DEVICE, settings.ARENA_RENDER_THREADS, settings.ARENA_DTYPE),
            *(settings.ARENA_COMPILE, settings.ARENA_DEVICE_WEIGHTS_GB),
        )
        file = contestant.lora.file if contestant.lora else ""
        key = (contestant.weights, contestant.checkpoint.folder, file)
        if (kind, key) != (self._kind, self._key):
            origin = self._origin(contestant, key)
            begun = time.monotonic()
            self._key = None
            if kind == self._kind:
                self._renderer.swap(origin)
                self.swap_seconds = time.monotonic() - begun
            else:
                self._kind = self._renderer = None
                self._renderer, self._kind = _build(origin), kind
                self.swap_seconds = 0.0  # most of it was loading libraries, which no change of checkpoint does again
            self._key, self.at = key, time.time()
        return self._renderer

    def _origin(self, contestant: Contestant, key: tuple[str, str, str]) -> Any:
        """Hashed where its files are not those that were hashed before: of SDXL that takes longer than a swap."""
        _, folder, file = key
        seen = signature([Path(folder), *([Path(file)] if file else [])])
        if self._sound.get(key) != seen:
            checked = sound_origin(contestant)
            self._sound[key] = seen
            return checked
        return origin_of(contestant)

    @property
    def weights(self) -> str | None:
        """The `Contestant.weights` that are loaded, if any are."""
        return self._key[0] if self._key else None


LOADED = LoadedRenderer()


def sound_origin(contestant: Contestant) -> Any:
    """As `origin_of`. Raises CheckpointError if the files no longer hold what was registered."""
    checkpoint, lora = contestant.checkpoint, contestant.lora
    folder = Path(checkpoint.folder)
    found = read_checkpoint(folder).sha256
    if found != checkpoint.sha256:
        raise CheckpointError(
            f"{folder} now holds other weights ({found[:12]}) than were registered ({checkpoint.sha256[:12]}): "
            "restore them"
        )
    if lora is not None:
        file = Path(lora.file)
        if not file.is_file() or file_sha256(file) != lora.sha256:
            raise CheckpointError(f"{file} is not the LoRA that was registered ({lora.sha256[:12]}): restore it")
    return origin_of(contestant)


def origin_of(contestant: Contestant) -> Any:
    """What the renderer loads: the folder, or with a LoRA an Origin of both."""
    folder = Path(contestant.checkpoint.folder)
    if contestant.lora is None:
        return folder
    file = Path(contestant.lora.file)
    return import_string("generation.loading.Origin")(folder, loras=(LoraRef(file, contestant.lora_scale),))


def _build(origin: Any) -> Any:
    device = settings.ARENA_DEVICE
    weights_store = import_string("generation.store.weights_store")
    return import_string(settings.ARENA_RENDERER)(
        origin,
        device=device,
        threads=settings.ARENA_RENDER_THREADS,
        dtype=import_string("generation.verify.DTYPES")[settings.ARENA_DTYPE],
        store=weights_store(gigabytes(settings.ARENA_WEIGHTS_GB), device),
        device_budget=gigabytes(settings.ARENA_DEVICE_WEIGHTS_GB),
        compile_backend=settings.ARENA_COMPILE or None,
    )


def gigabytes(count: float) -> int:
    """In bytes, by thousands."""
    return int(count * 1e9)


def _keep(contestant: Contestant, prompt: Prompt, seed: int, rendered: Any) -> Sample | None:
    """Write both files, then the row, behind the contestant's row lock; None if somebody else was faster."""
    with transaction.atomic():
        Contestant.objects.select_for_update(no_key=True).get(pk=contestant.pk)
        if Sample.objects.filter(contestant=contestant, prompt=prompt, seed=seed).exists():
            return None
        sample = Sample(contestant=contestant, prompt=prompt, seed=seed, manifest=rendered.manifest)
        sample.conditions = conditions_hash(rendered.manifest)
        sample.pixel_sha256 = pixel_sha256(rendered.image)
        write_file(sample.archive, archive_png(rendered.image, rendered.manifest))
        write_file(sample.blind, blind_png(rendered.image, scale=settings.ARENA_BLIND_SCALE))
        sample.save()
        return sample


def write_file(file: FieldFile, content: bytes) -> None:
    """Save under the field's own name, in place of what a killed attempt may have left there."""
    delete_file(file)
    file.save("sample.png", ContentFile(content), save=False)


def delete_file(file: FieldFile) -> None:
    """Whatever stands under the field's own name, if anything."""
    file.storage.delete(file.field.generate_filename(file.instance, "sample.png"))
