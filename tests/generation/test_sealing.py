import json
import shutil

import pytest

from generation.checkpoint import read_checkpoint
from generation.cli import main

DESCRIPTION = ["--run", "my-run", "--epoch", "3", "--step", "30000", "--licence", "CC0-1.0"]


@pytest.fixture
def foreign(tiny, tmp_path):
    """Weights as another trainer leaves them: no checkpoint.json."""
    folder = tmp_path / "epoch-3"
    shutil.copytree(tiny, folder)
    (folder / "checkpoint.json").unlink()
    return folder


def test_a_sealed_folder_is_a_checkpoint_with_the_papers_recipe(foreign, tiny, capsys):
    assert main(["seal", str(foreign), *DESCRIPTION]) == 0
    info = read_checkpoint(foreign)
    assert (info.name, info.run, info.epoch, info.step) == ("my-run epoch 3", "my-run", 3, 30000)
    assert info.sha256 == read_checkpoint(tiny).sha256, "the hash is of the weights, whoever describes them"
    assert info.sha256 in capsys.readouterr().out
    recipe = info.recipe
    assert (recipe.sampler, recipe.steps, recipe.cfg, recipe.width, recipe.height) == ("euler_a", 28, 6.0, 1024, 1024)


def test_a_sealed_folder_renders(foreign, tmp_path):
    small = ["--width", "64", "--height", "64", "--steps", "2"]
    assert main(["seal", str(foreign), *DESCRIPTION, *small]) == 0
    assert main(["render", str(foreign), "--prompt", "1girl", "--seed", "1", "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_an_incomplete_folder_is_named_and_left_as_it_was(foreign, capsys):
    for weights in (foreign / "unet").glob("*.safetensors"):
        weights.unlink()
    assert main(["seal", str(foreign), *DESCRIPTION]) == 1
    assert "unet/*.safetensors" in capsys.readouterr().err
    assert not (foreign / "checkpoint.json").exists()


def test_a_sealed_folder_is_not_described_twice(tiny, capsys):
    before = json.loads((tiny / "checkpoint.json").read_text())
    assert main(["seal", str(tiny), *DESCRIPTION]) == 1
    assert "there already" in capsys.readouterr().err
    assert json.loads((tiny / "checkpoint.json").read_text()) == before


@pytest.mark.parametrize(
    ("option", "value"), [("--prediction-type", "v_prediction"), ("--steps", "0"), ("--cfg", "nan")]
)
def test_a_wrong_description_is_refused_and_nothing_is_written(foreign, option, value):
    assert main(["seal", str(foreign), *DESCRIPTION, option, value]) == 1
    assert not (foreign / "checkpoint.json").exists()


def test_no_folder_is_an_error_that_names_it(tmp_path, capsys):
    assert main(["seal", str(tmp_path / "nowhere"), *DESCRIPTION]) == 1
    assert "nowhere" in capsys.readouterr().err
