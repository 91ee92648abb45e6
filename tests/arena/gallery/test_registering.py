"""A checkpoint folder becomes a run, a checkpoint and a contestant, once."""

import json
import shutil
from pathlib import Path

import pytest

from arena.gallery.models import Checkpoint, Contestant, Run
from arena.gallery.registering import ConflictError, register
from generation.checkpoint import CheckpointError
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


def test_folder_becomes_run_checkpoint_and_contestant(tiny_folder: Path) -> None:
    contestant, created = register(tiny_folder)
    written = json.loads((tiny_folder / "checkpoint.json").read_text())
    assert created
    assert contestant.checkpoint.sha256 == written["sha256"]
    assert contestant.checkpoint.run.name == written["run"]
    assert (contestant.checkpoint.epoch, contestant.checkpoint.folder) == (1, str(tiny_folder))
    assert contestant.frozen_recipe().to_dict() == written["recipe"]
    assert contestant.checkpoint.manifest == written


def test_again_changes_nothing(tiny_folder: Path) -> None:
    first, _ = register(tiny_folder)
    second, created = register(tiny_folder)
    assert (second.pk, created) == (first.pk, False)
    assert (Run.objects.count(), Checkpoint.objects.count(), Contestant.objects.count()) == (1, 1, 1)


def test_moved_folder_is_known_by_its_weights(tiny_folder: Path, tmp_path: Path) -> None:
    first, _ = register(tiny_folder)
    moved = shutil.copytree(tiny_folder, tmp_path / "elsewhere")
    again, created = register(moved)
    assert not created
    assert again.pk == first.pk
    assert Checkpoint.objects.get().folder == str(moved)


def test_parent_is_found_by_its_hash(tiny_folder: Path, tmp_path: Path) -> None:
    base, _ = register(tiny_folder)
    child = tmp_path / "child"
    write_tiny_checkpoint(child, seed=1, epoch=2)
    edit(child, parent=base.checkpoint.sha256)
    assert register(child)[0].checkpoint.parent == base.checkpoint


def test_another_recipe_is_another_contestant_of_the_same_checkpoint(tiny_folder: Path, tmp_path: Path) -> None:
    first, _ = register(tiny_folder)
    other = shutil.copytree(tiny_folder, tmp_path / "other")
    edit(other, recipe={"steps": 3, "batch": 4})
    second, created = register(other)
    assert created
    assert (second.checkpoint, second.recipe["steps"]) == (first.checkpoint, 3)


def test_missing_file_is_named_and_nothing_is_written(tiny_folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    (broken / "unet" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"unet/config\.json"):
        register(broken)
    assert not Run.objects.exists()


def test_other_weights_at_the_same_place_of_a_run_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    register(tiny_folder)
    rival = tmp_path / "rival"
    write_tiny_checkpoint(rival, seed=2, epoch=1)
    with pytest.raises(ConflictError, match="already has other weights at epoch 1"):
        register(rival)
    assert Checkpoint.objects.count() == 1


def test_the_same_weights_under_another_epoch_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    register(tiny_folder)
    renamed = shutil.copytree(tiny_folder, tmp_path / "renamed")
    edit(renamed, epoch=7)
    with pytest.raises(ConflictError, match="already registered as tiny epoch 1"):
        register(renamed)
    assert Checkpoint.objects.get().epoch == 1


def edit(folder: Path, **fields: object) -> None:
    """Change fields of checkpoint.json, which is not part of the content hash."""
    path = folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
