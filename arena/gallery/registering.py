"""Registering a checkpoint folder, perhaps with a LoRA: run, checkpoint, LoRA and contestant become rows."""

import json
from pathlib import Path

from django.db import IntegrityError, transaction

from arena.gallery.models import Checkpoint, Contestant, Lora, Run
from generation.canonical import canonical_sha256
from generation.checkpoint import INFO_FILE, CheckpointInfo, read_checkpoint
from generation.lora_file import LoraInfo, LoraRef, read_lora_info

# Of a LoRA's header, what its page shows; the rest may hold the trainer's folders and is not kept.
LORA_FACTS = {
    "ss_network_dim": "rank",
    "ss_network_alpha": "alpha",
    "ss_steps": "steps",
    "ss_base_model_version": "base",
    "modelspec.description": "description",
    "modelspec.date": "date",
}
MAX_FACT_CHARACTERS = 500


class ConflictError(Exception):
    """Other weights, or another place in a run, are already registered under what this folder claims to be."""


def register(folder: Path, lora: LoraRef | None = None) -> tuple[Contestant, bool]:
    """Read a checkpoint folder and make its rows; the same folder again changes nothing.

    Weights are known by the hash of their content, so a folder that was moved is found again and its new place kept.
    Another recipe for the same weights is another contestant, and so is the checkpoint with a LoRA added.

    Returns:
        The contestant, and whether it is new.

    Raises:
        CheckpointError: the folder is incomplete or damaged, or the LoRA is none; the message names the file and the
            remedy.
        ConflictError: the run has other weights at this epoch and step, or these weights stand at another one.
    """
    folder = folder.resolve()
    info = read_checkpoint(folder)
    manifest = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    added = None if lora is None else (read_lora_info(lora.path.resolve()), lora.scale)
    try:
        return _rows(info, manifest, added)
    except IntegrityError:
        # The same weights came at the same moment under another run: now they are there to conflict with.
        return _rows(info, manifest, added)


def _rows(
    info: CheckpointInfo, manifest: dict[str, object], added: tuple[LoraInfo, float] | None
) -> tuple[Contestant, bool]:
    """The run's row is locked, so that of several requests with one epoch the first makes it and the others find it."""
    with transaction.atomic():
        made, _ = Run.objects.get_or_create(name=info.run, defaults={"preset": info.preset})
        run = Run.objects.select_for_update(no_key=True).get(pk=made.pk)
        checkpoint = _checkpoint(run, info, manifest)
        recipe = info.recipe.to_dict()
        if added is None:
            return Contestant.objects.get_or_create(
                checkpoint=checkpoint, recipe_sha256=info.recipe.sha256, defaults={"recipe": recipe}
            )
        lora, scale = _lora(added[0]), added[1]
        return Contestant.objects.get_or_create(
            checkpoint=checkpoint,
            recipe_sha256=canonical_sha256({**recipe, "lora": {"sha256": lora.sha256, "scale": scale}}),
            defaults={"recipe": recipe, "lora": lora, "lora_scale": scale},
        )


def _lora(info: LoraInfo) -> Lora:
    """The LoRA's row; a file that was moved is found again, and the checkpoint it was trained on once that is here."""
    said = info.metadata
    trained_on = Checkpoint.objects.filter(sha256=info.trained_on).first() if info.trained_on else None
    facts = {name: said[key][:MAX_FACT_CHARACTERS] for key, name in LORA_FACTS.items() if said.get(key)}
    lora, created = Lora.objects.get_or_create(
        sha256=info.sha256,
        defaults={
            "name": info.name[:200],
            "file": str(info.path),
            "trained_on": trained_on,
            "licence": said.get("modelspec.license", "")[:100],
            "attribution": said.get("modelspec.author", ""),
            "facts": {"layers": info.layers, "rank": ", ".join(map(str, info.ranks)), **facts},
        },
    )
    if not created:
        lora.file, lora.trained_on = str(info.path), trained_on or lora.trained_on
        lora.save(update_fields=["file", "trained_on"])
    return lora


def _checkpoint(run: Run, info: CheckpointInfo, manifest: dict[str, object]) -> Checkpoint:
    known = Checkpoint.objects.filter(sha256=info.sha256).select_related("run").first()
    if known is None:
        return _new_checkpoint(run, info, manifest)
    if (known.run_id, known.epoch, known.step) != (run.id, info.epoch, info.step):
        raise ConflictError(
            f"the weights in {info.folder} are already registered as {known.run.name} epoch {known.epoch} "
            f"step {known.step}, and the folder says {info.run} epoch {info.epoch} step {info.step}: "
            f"nothing was trained in between, or {INFO_FILE} was edited"
        )
    known.folder = str(info.folder)
    known.save(update_fields=["folder"])
    return known


def _new_checkpoint(run: Run, info: CheckpointInfo, manifest: dict[str, object]) -> Checkpoint:
    taken = run.checkpoints.filter(epoch=info.epoch, step=info.step).first()
    if taken:
        raise ConflictError(
            f"run {run.name} already has other weights at epoch {info.epoch} step {info.step} "
            f"({taken.sha256[:12]}, in {taken.folder}): give the new run another name"
        )
    return Checkpoint.objects.create(
        run=run,
        parent=Checkpoint.objects.filter(sha256=info.parent).first() if info.parent else None,
        name=info.name,
        epoch=info.epoch,
        step=info.step,
        sha256=info.sha256,
        folder=str(info.folder),
        licence=info.licence,
        attribution=info.attribution,
        manifest=manifest,
    )
