"""`python -m rating ccip` as its users meet it: output, files, exit codes."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rating.ccip.conftest import portrait
from tests.rating.ccip.running import ccip

ROOT = Path(__file__).resolve().parents[3]
CHARACTERS = ("akari", "fate/saber", "rin")
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, and two checkpoints: a good one and one that is further off."""
    home = tmp_path_factory.mktemp("home")
    characters = {}
    for at, name in enumerate(CHARACTERS):
        for number in range(3):
            path = home / "refs" / str(at) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            portrait(at, 100 + number).save(path)
        characters[name] = [f"refs/{at}/{number}.png" for number in range(3)]
        for checkpoint, likeness in (("epoch-1", 0.45), ("epoch-2", 0.7)):
            for seed in SEEDS:
                path = home / checkpoint / name.replace("/", "_") / "portrait" / f"{seed}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                portrait(at, seed, likeness=likeness).save(path)
    suite = {"format": "ccip-suite/1", "characters": characters, "prompts": {"portrait": "1girl"}, "seeds": SEEDS}
    (home / "suite.json").write_text(json.dumps(suite))
    return home


@pytest.fixture
def scores(home: Path, with_encoder: list[object], tmp_path: Path) -> list[Path]:
    code, _, _ = ccip(
        "score", home / "suite.json", home / "epoch-1", home / "epoch-2", "--out", tmp_path, *with_encoder
    )
    assert code == 0
    return [tmp_path / "epoch-1.json", tmp_path / "epoch-2.json"]


def test_score_prints_checkpoints_characters_and_what_they_were_held_against(
    home: Path, with_encoder: list[object]
) -> None:
    code, out, errors = ccip("score", home / "suite.json", home / "epoch-1", home / "epoch-2", *with_encoder)
    assert (code, errors) == (0, "")
    for word in ("epoch-1", "epoch-2", "fate/saber", "ceiling", "floor", "within 0.1 (metrics.json)", "95 % intervals"):
        assert word in out


def test_score_as_json_is_the_whole_report(home: Path, with_encoder: list[object], scores: list[Path]) -> None:
    code, out, _ = ccip(
        "score", home / "suite.json", home / "epoch-1", "--format", "json", "--threshold", 0.1, *with_encoder
    )
    (report,) = json.loads(out)
    assert code == 0
    assert (report["checkpoint"], report["threshold_source"]) == ("epoch-1", "given")
    assert len(report["images"]) == len(CHARACTERS) * len(SEEDS)
    kept = json.loads(scores[0].read_text())
    assert kept["difference"] == report["difference"]


def test_a_missing_image_makes_the_run_incomplete_unless_that_is_allowed(
    home: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    less = Path(shutil.copytree(home / "epoch-1", tmp_path / "less"))
    (less / "rin" / "portrait" / "2.png").unlink()
    code, _, errors = ccip("score", home / "suite.json", less, *with_encoder)
    assert code == 3
    assert "incomplete: less lacks 1 images:\n  rin/portrait/2: not there" in errors
    assert ccip("score", home / "suite.json", less, "--allow-missing", *with_encoder)[0] == 0


def test_a_leak_is_said(home: Path, with_encoder: list[object], tmp_path: Path) -> None:
    leaking = Path(shutil.copytree(home / "epoch-1", tmp_path / "leaking"))
    shutil.copy(home / "refs" / "0" / "1.png", leaking / "akari" / "portrait" / "1.png")
    code, _, errors = ccip("score", home / "suite.json", leaking, *with_encoder)
    assert code == 0
    assert "leak: leaking has images that are references" in errors
    assert "akari/portrait/1 is the reference" in errors


def test_compare_says_which_is_nearer(scores: list[Path]) -> None:
    code, out, _ = ccip("compare", *scores)
    assert code == 0
    assert "epoch-2" in out
    code, out, _ = ccip("compare", *scores, "--format", "json")
    difference, rate = json.loads(out)
    assert (difference["measure"], rate["measure"]) == ("difference", "same_rate")
    assert difference["value"] < 0
    assert (difference["a"], difference["b"], difference["method"]) == ("epoch-1", "epoch-2", "t")


def test_compare_leaves_a_key_out_of_both_and_says_so(
    home: Path, with_encoder: list[object], scores: list[Path], tmp_path: Path
) -> None:
    less = Path(shutil.copytree(home / "epoch-1", tmp_path / "less"))
    (less / "rin" / "portrait" / "2.png").unlink()
    ccip("score", home / "suite.json", less, "--out", tmp_path, *with_encoder)
    code, _, errors = ccip("compare", tmp_path / "less.json", scores[1])
    assert code == 3
    assert "1 images that only one of less and epoch-2 has are left out of both" in errors
    assert ccip("compare", tmp_path / "less.json", scores[1], "--allow-missing")[0] == 0


def test_compare_refuses_scores_of_different_thresholds(
    home: Path, with_encoder: list[object], scores: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "strict").mkdir()
    ccip(
        "score", home / "suite.json", home / "epoch-1", "--threshold", 0.05, "--out", tmp_path / "strict", *with_encoder
    )
    code, out, errors = ccip("compare", tmp_path / "strict" / "epoch-1.json", scores[1])
    assert (code, out) == (1, "")
    assert "thresholds 0.05 and 0.1" in errors


def test_check_shows_the_contract(with_encoder: list[object], folder: Path) -> None:
    code, out, _ = ccip("check", *with_encoder)
    assert code == 0
    for word in ("by numpy", "CPUExecutionProvider", "sha256 model_feat.onnx", "0.1"):
        assert word in out
    assert json.loads(ccip("check", "--format", "json", *with_encoder)[1])["dimensions"] == 64


def test_a_broken_encoder_is_refused_and_a_missing_file_is_usage(folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    (own / "model_metrics.onnx").write_bytes(b"no net")
    code, out, errors = ccip("check", "--encoder", own, "--cache", tmp_path / "c")
    assert (code, out) == (1, "")
    assert "model_metrics.onnx cannot be opened" in errors
    (own / "model_metrics.onnx").unlink()
    code, _, errors = ccip("check", "--encoder", own, "--cache", tmp_path / "c")
    assert code == 2
    assert "model_metrics.onnx is missing" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["score"], 2, "SUITE"),
        (["score", "gone.json", "nowhere"], 2, "gone.json is not there"),
        (["score", "{home}/suite.json", "{home}/nowhere"], 2, "none of the suite's 6 images; the first is"),
        (["score", "{home}/suite.json", "{home}/epoch-1", "--threshold", "2"], 2, "within 0 to 1"),
        (["score", "{home}/suite.json", "{home}/epoch-1", "{home}/epoch-1"], 1, "epoch-1 is given twice"),
        (["score", "{home}/suite.json", "{home}/epoch-1", "--out", "{home}/suite.json"], 1, "name another by --out"),
        (["compare", "gone.json"], 2, "gone.json is not there"),
        (["compare", "{home}/suite.json"], 1, "from `score --out`"),
        (["calibrate", "{home}/suite.json"], 2, "holds no images"),
        (["calibrate", "{home}/epoch-1/akari"], 1, "add characters"),
        (["check", "--device", "tpu"], 2, "invalid choice"),
        (["check", "--device", "cuda"], 1, "install onnxruntime-gpu"),
        ([], 2, "COMMAND"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, word: str, home: Path, with_encoder: list[object]
) -> None:
    given = [argument.format(home=home) for argument in arguments]
    own = with_encoder if given and given[0] != "compare" else []
    made, out, errors = ccip(*given, *own)
    assert (made, out) == (code, "")
    assert word in errors


def test_two_images_of_one_key_are_refused(home: Path, with_encoder: list[object], tmp_path: Path) -> None:
    twice = Path(shutil.copytree(home / "epoch-1", tmp_path / "twice"))
    portrait(0, 0).save(twice / "akari" / "portrait" / "1.webp")
    code, _, errors = ccip("score", home / "suite.json", twice, *with_encoder)
    assert code == 1
    assert "are for the same image" in errors


def test_checkpoints_of_one_name_are_told_apart_by_their_paths(
    home: Path, with_encoder: list[object], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(home / "epoch-2", tmp_path / "run-b" / "epoch-1"))
    code, out, _ = ccip("score", home / "suite.json", home / "epoch-1", other, "--format", "json", *with_encoder)
    assert code == 0
    assert [one["checkpoint"] for one in json.loads(out)] == [str(home / "epoch-1"), str(other)]


def test_ctrl_c_stops_and_keeps_what_was_embedded(folder: Path, tmp_path: Path) -> None:
    for at in range(240):
        path = tmp_path / "labelled" / f"c{at % 5}" / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        portrait(at % 5, at).resize((700, 700)).save(path, compress_level=1)
    cache = tmp_path / "cache.sqlite"
    command = [
        sys.executable,
        "-m",
        "rating",
        "ccip",
        "calibrate",
        tmp_path / "labelled",
        "--encoder",
        folder,
        "--cache",
        cache,
    ]
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as child:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and kept(cache) < 32 and child.poll() is None:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        errors = child.communicate(timeout=60)[1].decode()
    assert (child.returncode, "stopped" in errors) == (130, True), errors
    assert 32 <= kept(cache) < 240
    assert os.path.exists(cache)


def kept(cache: Path) -> int:
    if not cache.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("select count(*) from embedding").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
