"""A trained checkpoint as folder, as single file and back: the same bits, and all that it says of itself."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from generation.canonical import canonical_sha256
from generation.checkpoint import read_checkpoint
from generation.errors import CheckpointError
from generation.header import MANIFEST, manifest_in
from generation.loading import Origin, load
from generation.single import read_header, read_single
from tests.training.conftest import SMALL_PRESET
from tests.training.test_run import start
from training.caption_config import PAPER_LEVELS
from training.cli import main
from training.config import load_preset, to_mapping
from training.interpretations import OPEN, interpretations
from training.prepare_config import PrepareConfig


@pytest.fixture(scope="module")
def trained(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one epoch of a run with the padding mask."""
    preset = replace(
        SMALL_PRESET,
        caption=replace(SMALL_PRESET.caption, levels=PAPER_LEVELS),
        objective=replace(SMALL_PRESET.objective, pad_mask=True),
        diffusion=replace(SMALL_PRESET.diffusion, epochs=1, steps_per_epoch=1),
    )
    out = tmp_path_factory.mktemp("export") / "run"
    return start(preset, small_data, small_base, out).train()


@pytest.fixture(scope="module")
def single(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("single") / "own.safetensors"
    assert main(["convert", str(trained), "--out", str(file)]) == 0
    return file


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_to_file_to_folder_is_the_same_in_every_byte_of_every_tensor(
    trained: Path, single: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    assert main(["convert", str(single), "--like", str(trained), "--out", str(back)]) == 0
    for path in trained.rglob("*.safetensors"):
        one, other = load_file(path), load_file(back / path.relative_to(trained))
        assert {k: (v.dtype, v.numpy().tobytes()) for k, v in one.items()} == {
            k: (v.dtype, v.numpy().tobytes()) for k, v in other.items()
        }
    said, again = (json.loads((folder / "checkpoint.json").read_text()) for folder in (trained, back))
    assert again | {"sha256": ""} == said | {"sha256": ""}
    assert load(Origin(back)).parts.hashes == load(Origin(trained)).parts.hashes


def test_file_to_folder_to_file_is_the_same_file(trained: Path, single: Path, tmp_path: Path) -> None:
    assert main(["convert", str(single), "--like", str(trained), "--out", str(tmp_path / "folder")]) == 0
    assert main(["convert", str(tmp_path / "folder"), "--out", str(tmp_path / "again.safetensors")]) == 0
    one, other = load_file(single), load_file(tmp_path / "again.safetensors")
    assert {key: value.numpy().tobytes() for key, value in one.items()} == {
        key: value.numpy().tobytes() for key, value in other.items()
    }
    assert read_header(tmp_path / "again.safetensors").metadata == read_header(single).metadata


def test_the_file_says_all_that_the_folder_does(trained: Path, single: Path) -> None:
    folder = read_checkpoint(trained)
    info = read_single(single, trained)
    assert info.pad_mask is True
    same = ("run", "epoch", "step", "name", "parent", "dataset", "config", "config_sha256", "licence", "recipe")
    assert {name: getattr(info, name) for name in same} == {name: getattr(folder, name) for name in same}
    assert info.interpretations == folder.interpretations
    said = read_header(single).metadata
    assert said["modelspec.sai_model_spec"] == "1.0.1"
    assert (said["modelspec.title"], said["modelspec.license"]) == (folder.name, folder.licence)
    assert manifest_in(said, single)["dataset"] == json.loads((trained / "checkpoint.json").read_text())["dataset"]


def test_an_edited_manifest_and_another_architecture_are_refused(trained: Path, single: Path, tmp_path: Path) -> None:
    said = dict(read_header(single).metadata)
    edited = json.loads(said[MANIFEST]) | {"licence": "CC-BY-4.0"}
    save_file(load_file(single), tmp_path / "edited.safetensors", metadata=said | {MANIFEST: json.dumps(edited)})
    with pytest.raises(CheckpointError, match="the header was edited"):
        read_single(tmp_path / "edited.safetensors", trained)
    other = json.loads(said[MANIFEST]) | {"architecture": "sd1"}
    named = {MANIFEST: json.dumps(other), f"{MANIFEST}_sha256": canonical_sha256(other)}
    save_file(load_file(single), tmp_path / "other.safetensors", metadata=said | named)
    with pytest.raises(CheckpointError, match="is a checkpoint of 'sd1'"):
        read_single(tmp_path / "other.safetensors", trained)


def test_a_manifest_names_every_interpretation_that_its_settings_took(trained: Path) -> None:
    """The caption and objective half; what a data set's preparation decides is known where there was one."""
    found = read_checkpoint(trained).interpretations
    prepared = {"A7", "A8", "A12", "A13"}
    assert set(found) == set(OPEN) - prepared
    assert found["A15"]["taken"] == {"objective.pad_mask": True}
    assert found["A1"]["taken"]["caption.levels"][0] == {"rate": 0.3, "share": 0.3, "least": 10}


def test_all_of_a1_to_a19_are_settings_of_a_preset_and_a_preparation() -> None:
    found = interpretations(to_mapping(load_preset("v1.0")), to_mapping(PrepareConfig()))
    assert list(found) == [f"A{number}" for number in range(1, 20)]
    for name, (question, paths) in OPEN.items():
        assert found[name]["open"] == question
        assert set(found[name]["taken"]) == set(paths), name


def test_a_checkpoint_with_a_lora_in_it_says_what_it_came_from(
    trained: Path, tmp_path: Path, small_data: Path, small_base: Path
) -> None:
    run = tmp_path / "lora"
    small = ["--epochs", "1", "--steps-per-epoch", "1", "--batch", "4", "--threads", "1"]
    where = ["--data", str(small_data), "--base", str(trained), "--out", str(run)]
    assert main(["lora", "named-adventurers", *where, *small]) == 0
    lora = f"{run}/epoch-01.safetensors:0.5"
    shutil.rmtree(tmp_path / "baked", ignore_errors=True)
    assert main(["convert", str(trained), "--lora", lora, "--run", "baked", "--out", str(tmp_path / "baked")]) == 0
    assert read_checkpoint(tmp_path / "baked").parent == read_checkpoint(trained).sha256
