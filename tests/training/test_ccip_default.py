"""The committed encoder is what its page says: small, sealed, packaged, and good on characters it never saw."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from rating.ccip import CCIPEncoder
from rating.ccip.encoder import DEFAULT
from rating.ccip.folder import FILES
from training.ccip.measuring import auc, histogram_differences, thumbnail_differences
from training.ccip.pictures import draw_characters, render_cast

ROOT = Path(__file__).resolve().parents[2]
TRAINED, MEASURED, FRESH = 400, 120, 40
PACKED = """
from setuptools.dist import Distribution
found = Distribution({"script_name": "setup.py"})
found.parse_config_files()
build = found.get_command_obj("build_py")
build.ensure_finalized()
for package, _, _, names in build.get_data_files_without_manifest():
    print(*(f"{package}/{name}" for name in names), sep="\\n")
"""


def test_it_is_sealed_small_and_says_what_it_is_for():
    with CCIPEncoder.default() as encoder:
        assert encoder.check().dim == 128
        assert "not comparable with CCIP" in encoder.notice
        assert 0 < encoder.metrics["threshold_low"] < encoder.threshold < encoder.metrics["threshold_high"] < 0.5
        assert {"f1_score", "accuracy", "precision", "recall", "threshold_fpr1", "positives_rate", "pairs"} <= set(
            encoder.metrics
        )
    assert sum((DEFAULT / name).stat().st_size for name in FILES) < 3_000_000


def test_its_manifest_names_the_characters_it_was_measured_on():
    training = json.loads((DEFAULT / "manifest.json").read_text("utf-8"))["training"]
    assert f"--characters {TRAINED} " in training["command"]
    assert training["measured_on"]["characters"] == MEASURED
    measured = training["measured"]
    assert measured["encoder"]["auc"] >= 0.97
    assert measured["encoder"]["auc"] > max(measured[rule]["auc"] for rule in ("colour histogram", "thumbnail")) + 0.2


def test_characters_of_neither_training_nor_measuring_are_told_apart_as_well():
    seen = draw_characters(0, TRAINED)
    measured = draw_characters(0, MEASURED, seen)
    cast = render_cast(1, draw_characters(0, FRESH, [*seen, *measured]), 6)
    with CCIPEncoder.default() as encoder:
        differences = encoder.differences(encoder.embed([Image.fromarray(one) for one in cast.pictures]))
    who = cast.labels.tolist()
    assert auc(differences, who) >= 0.97
    assert auc(histogram_differences(cast.pictures), who) < 0.8
    assert auc(thumbnail_differences(cast.pictures), who) < 0.75


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_it_is_installed_with_the_package(name: str, packed: str):
    assert f"rating.ccip/default/{name}" in packed or f"rating/ccip/default/{name}" in packed


@pytest.fixture(scope="module")
def packed() -> str:
    """What setuptools would install beside the modules."""
    done = subprocess.run([sys.executable, "-c", PACKED], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout
