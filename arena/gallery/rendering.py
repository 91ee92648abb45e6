"""Rendering samples that are missing. Runs in the worker: the renderer comes by dotted path and loads torch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models.fields.files import FieldFile
from django.utils.module_loading import import_string

from arena.gallery.models import Checkpoint, Contestant, Prompt, Sample
from generation.checkpoint import CheckpointError, read_checkpoint
from generation.imageio import archive_png, blind_png, pixel_sha256
from generation.recipe import ImageRequest

Job = tuple[Prompt, int]


def render_missing(
    contestant: Contestant,
    jobs: Iterable[Job],
    *,
    should_stop: Callable[[], bool] | None = None,
    on_sample: Callable[[Sample], None] | None = None,
) -> int:
    """Render those (prompt, seed) pairs of a contestant that have no Sample yet.

    Doing it again, after a crash at any point or in two processes at once, adds no second Sample.

    Args:
        contestant: whose checkpoint and frozen recipe render.
        jobs: prompts and seeds, in the order in which they are wanted.
        should_stop: asked between steps; when it answers true, generation.errors.Cancelled is raised.
        on_sample: told of every new Sample once it is committed.

    Returns:
        How many samples were added.

    Raises:
        CheckpointError: the checkpoint's folder is gone or no longer holds the registered weights.
        ValueError: a prompt that the renderer does not take.
    """
    wanted = missing(contestant, jobs)
    if not wanted:
        return 0
    requests = [ImageRequest(prompt.text, seed) for prompt, seed in wanted]
    images = LOADED.of(contestant.checkpoint).render(contestant.frozen_recipe(), requests, should_stop=should_stop)
    added = 0
    for (prompt, seed), rendered in zip(wanted, images, strict=True):
        sample = _keep(contestant, prompt, seed, rendered)
        if sample is not None:
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
    """One renderer for all checkpoints: it holds one at a time and changes in place, weights staying in memory."""

    def __init__(self) -> None:
        self._kind: Any = None
        self._renderer: Any = None
        self._key: tuple[str, str] | None = None

    def of(self, checkpoint: Checkpoint) -> Any:
        """The renderer of this checkpoint. Raises CheckpointError if its folder no longer holds these weights."""
        kind = (settings.ARENA_RENDERER, settings.ARENA_DEVICE, settings.ARENA_RENDER_THREADS)
        key = (checkpoint.folder, checkpoint.sha256)
        if (kind, key) != (self._kind, self._key):
            folder = _sound_folder(checkpoint)
            self._key = None
            if kind == self._kind:
                self._renderer.swap(folder)
            else:
                self._kind = self._renderer = None
                self._renderer, self._kind = _build(folder), kind
            self._key = key
        return self._renderer

    @property
    def sha256(self) -> str | None:
        """Hash of the checkpoint that is loaded, if one is."""
        return self._key[1] if self._key else None


LOADED = LoadedRenderer()


def _sound_folder(checkpoint: Checkpoint) -> Path:
    folder = Path(checkpoint.folder)
    found = read_checkpoint(folder).sha256
    if found != checkpoint.sha256:
        raise CheckpointError(
            f"{folder} now holds other weights ({found[:12]}) than were registered ({checkpoint.sha256[:12]}): "
            "restore them"
        )
    return folder


def _build(folder: Path) -> Any:
    store = import_string("generation.store.ComponentStore")(int(settings.ARENA_WEIGHTS_GB * 1e9))
    renderer_class = import_string(settings.ARENA_RENDERER)
    return renderer_class(folder, device=settings.ARENA_DEVICE, threads=settings.ARENA_RENDER_THREADS, store=store)


def _keep(contestant: Contestant, prompt: Prompt, seed: int, rendered: Any) -> Sample | None:
    """Write both files, then the row, behind the contestant's row lock; None if somebody else was faster."""
    with transaction.atomic():
        Contestant.objects.select_for_update(no_key=True).get(pk=contestant.pk)
        if Sample.objects.filter(contestant=contestant, prompt=prompt, seed=seed).exists():
            return None
        sample = Sample(contestant=contestant, prompt=prompt, seed=seed, manifest=rendered.manifest)
        sample.pixel_sha256 = pixel_sha256(rendered.image)
        _write(sample.archive, archive_png(rendered.image, rendered.manifest))
        _write(sample.blind, blind_png(rendered.image, scale=settings.ARENA_BLIND_SCALE))
        sample.save()
        return sample


def _write(file: FieldFile, content: bytes) -> None:
    """Save under the field's own name, in place of what a killed attempt may have left there."""
    name = file.field.generate_filename(file.instance, "sample.png")
    file.storage.delete(name)
    file.save("sample.png", ContentFile(content), save=False)
