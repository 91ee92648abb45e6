"""`python -m rating ccip calibrate` as its users meet it: a threshold that is one encoder's own."""

import json
import shutil
from pathlib import Path

import pytest

from rating.ccip import CCIPEncoder, write_manifest
from rating.ccip.preprocess import Preprocess
from tests.rating.ccip.conftest import portrait
from tests.rating.ccip.nets import write_encoder
from tests.rating.ccip.running import ccip


def test_calibrate_writes_what_an_encoder_folder_needs(
    labelled: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    few = ("--resamples", 10, *with_encoder)
    code, out, _ = ccip("calibrate", labelled, "--out", tmp_path / "made", "--format", "json", *few)
    assert code == 0
    metrics = json.loads((tmp_path / "made" / "metrics.json").read_text())
    assert metrics == json.loads(out)
    assert metrics["auc"] == 1.0
    assert set(json.loads((tmp_path / "made" / "cluster.json").read_text())) == {"dbscan_2", "dbscan_free", "optics"}
    assert "threshold_fpr1" in ccip("calibrate", labelled, *few)[1]


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    for character in range(5):
        for number in range(3):
            path = tmp_path / "labelled" / f"c{character}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            portrait(character, number).save(path)
    return tmp_path / "labelled"


def test_what_calibrate_writes_is_an_encoders_and_no_others(
    labelled: Path, folder: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    assert ccip("calibrate", labelled, "--out", own, "--resamples", 10, *with_encoder)[0] == 0
    metrics = json.loads((own / "metrics.json").read_text())
    assert CCIPEncoder.from_dir(own).threshold == metrics["threshold"] != CCIPEncoder.from_dir(folder).threshold
    other = write_encoder(tmp_path / "other", seed=1)
    shutil.copy(own / "metrics.json", other)
    code, out, errors = ccip("check", "--encoder", other)
    assert (code, out) == (1, "")
    assert "was calibrated for another encoder" in errors


def test_calibrate_leaves_a_sealed_encoder_whole(
    labelled: Path, folder: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    sealed = Path(shutil.copytree(folder, tmp_path / "sealed"))
    write_manifest(sealed, name="sealed")
    code, out, errors = ccip("calibrate", labelled, "--out", sealed, *with_encoder)
    assert (code, out) == (1, "")
    assert "manifest.json seals its settings; name another folder by --out" in errors
    assert CCIPEncoder.from_dir(sealed).name == "sealed"


def test_calibrating_a_sealed_encoder_gives_one_that_is_sealed_alike(
    labelled: Path, folder: Path, tmp_path: Path
) -> None:
    sealed = Path(shutil.copytree(folder, tmp_path / "sealed"))
    own = Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    said = {"notice": "of drawings alone", "licence": "CC BY 4.0", "attribution": "Anna", "training": {"seed": 3}}
    write_manifest(sealed, name="sealed", preprocess=own, **said)
    made = tmp_path / "made"
    options = ("--encoder", sealed, "--cache", tmp_path / "c", "--threads", 1, "--resamples", 10)
    assert ccip("calibrate", labelled, "--out", made, *options)[0] == 0
    found, before = CCIPEncoder.from_dir(made), CCIPEncoder.from_dir(sealed)
    assert (found.name, found.identity) == ("sealed", before.identity)
    assert found.folder.preprocess == own
    assert {name: found.folder.manifest[name] for name in said} == said
    assert found.threshold == json.loads((made / "metrics.json").read_text())["threshold"] != before.threshold
    assert {path.name for path in made.iterdir()} == {path.name for path in sealed.iterdir()}
    assert ccip("check", "--encoder", made)[0] == 0


def test_calibrate_writes_over_no_other_encoders_nets(
    labelled: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    other = write_encoder(tmp_path / "other", seed=1)
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    code, out, errors = ccip("calibrate", labelled, "--out", other, *with_encoder)
    assert (code, out) == (1, "")
    assert "model_feat.onnx is another encoder's" in errors
    assert {path.name: path.read_bytes() for path in other.iterdir()} == before


def test_forced_colours_put_no_bars_into_a_log(
    labelled: Path, with_encoder: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    code, _, errors = ccip("calibrate", labelled, "--resamples", 10, *with_encoder)
    assert (code, errors) == (0, "")
