"""The small encoder: its loss, its training, and the ONNX files that come out of it."""

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from rating.ccip import CCIPEncoder, Preprocess
from rating.ccip.folder import FILES
from training.ccip.export import export
from training.ccip.learning import Learner, Settings, identity_loss, normalise, to_tensor
from training.ccip.measuring import auc, histogram_differences, thumbnail_differences
from training.ccip.net import DifferenceNet, FeatureNet, seen_small
from training.ccip.pictures import Cast, draw_characters, render_cast
from training.cli import main

SMALL = Settings(steps=40, characters=16)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return render_cast(0, draw_characters(0, 40), 6)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def net() -> FeatureNet:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = FeatureNet()
    # Statistics of real pictures, so that folding them into the convolutions has something to fold.
    made.train().small(normalise(torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(2))))
    return made.eval()


def test_loss_by_hand():
    """Two characters of two equal pictures each, at a right angle; and three pictures of one, the third at one."""
    corners = torch.eye(2)[[0, 0, 1, 1]]
    two = identity_loss(corners, torch.tensor([0, 0, 1, 1]), torch.tensor(2.0))
    assert float(two) == pytest.approx(math.log(math.exp(2) + 2) - 2)
    one = identity_loss(torch.eye(2)[[0, 0, 1]], torch.tensor([0, 0, 0]), torch.tensor(1.0))
    # All others are of the same character, so their mass is 1; one by one: log(e + 1) - 1/2 twice, and log 2.
    assert float(one) == pytest.approx((2 * (math.log(math.e + 1) - 0.5) + math.log(2)) / 3 / 2)


def test_pooled_enlargement_is_what_training_sees():
    """A 64 px picture through the contract's preprocessing and the net's pooling is the training's shortcut."""
    pixels = render_cast(0, draw_characters(0, 1), 1).pictures
    contract = torch.from_numpy(Preprocess()(Image.fromarray(pixels[0]))[None])
    pooled = torch.nn.functional.avg_pool2d(contract, 6)
    short = normalise(seen_small(to_tensor(pixels).float() / 255))
    # The contract rounds the enlarged pixels to whole levels, a level being at most 1 / 255 / 0.2613.
    assert float((pooled - short).abs().max()) < 0.5 / 255 / 0.2613


def test_a_stopped_training_goes_on_to_the_bit(cast: Cast):
    settings = Settings(steps=4, characters=8)
    whole, first = Learner(cast, settings), Learner(cast, settings)
    losses = [whole.advance() for _ in range(4)]
    assert [first.advance() for _ in range(2)] == losses[:2]
    second = Learner(cast, settings)
    second.restore(first.state())
    assert [second.advance() for _ in range(2)] == losses[2:]
    for name, weights in whole.net.state_dict().items():
        assert torch.equal(weights, second.net.state_dict()[name]), name


def test_a_cast_too_small_for_a_batch_is_refused(cast: Cast):
    with pytest.raises(ValueError, match="needs 24 characters with 9 images each, and there are 40 with 6"):
        Learner(cast, Settings(images=9))


def test_exported_nets_give_what_the_trained_ones_do(net: FeatureNet, tmp_path: Path):
    export(net, tmp_path)
    (tmp_path / "metrics.json").write_text('{"threshold": 0.1}')
    (tmp_path / "cluster.json").write_text("{}")
    pixels = render_cast(0, draw_characters(0, 3), 1).pictures
    with CCIPEncoder.from_dir(tmp_path) as encoder:
        encoder.check()
        found = encoder.embed([Image.fromarray(one) for one in pixels])
        differences = encoder.differences(found)
    contract = torch.from_numpy(np.stack([Preprocess()(Image.fromarray(one)) for one in pixels]))
    with torch.inference_mode():
        features = net(contract)
        assert float((torch.from_numpy(found.vectors) - features).abs().max()) < 1e-4
        assert float((torch.from_numpy(differences) - DifferenceNet()(features)).abs().max()) < 1e-5


def test_exported_files_are_valid_small_and_the_same_every_time(net: FeatureNet, tmp_path: Path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        export(net, folder)
    for name in ("model_feat.onnx", "model_metrics.onnx"):
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
        assert len(content) < 3_000_000


def test_auc_by_hand():
    """Pairs of one character: .1 and .4; of two: .2, .3, .4, .5. Of 8 meetings 4 + 1 + a tie are won: 5.5 / 8."""
    differences = np.zeros((4, 4), dtype=np.float32)
    for (one, other), value in {(0, 1): 0.1, (2, 3): 0.4, (0, 2): 0.2, (0, 3): 0.3, (1, 2): 0.4, (1, 3): 0.5}.items():
        differences[one, other] = differences[other, one] = value
    assert auc(differences, list("aabb")) == pytest.approx(5.5 / 8)
    # Of pictures with equal hair only .1 of one character and .2 of two are left, beside .4 and .5: of 4, 3 are won.
    assert auc(differences, list("aaba"), ["red", "red", "red", "blue"]) == pytest.approx(1.0)


def test_baselines_by_hand():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    half = np.concatenate([black[:4], white[:4]])
    found = histogram_differences(np.stack([black, white, half]))
    assert np.allclose(found, [[0, 1, 0.5], [1, 0, 0.5], [0.5, 0.5, 0]])
    # About their mean the upper and lower halves are (-1, -2), (2, 1), (-1, 1): cosines -4/5 and -1/sqrt(10) twice.
    found = thumbnail_differences(np.stack([black, white, half]))
    aslant = (1 + 1 / math.sqrt(10)) / 2
    assert np.allclose(found, [[0, 0.9, aslant], [0.9, 0, aslant], [aslant, aslant, 0]], atol=1e-5)


def test_a_short_training_tells_unseen_characters_apart_and_colours_alone_do_not(cast: Cast):
    """Light, colour cast, background, garment and pose are drawn anew for every picture, also for the held-out ones."""
    strangers = draw_characters(0, 24, draw_characters(0, 40))
    held = render_cast(0, strangers, 8)
    learner = Learner(cast, SMALL)
    while learner.step < SMALL.steps:
        learner.advance()
    with torch.inference_mode():
        features = learner.net.eval().small(normalise(seen_small(to_tensor(held.pictures).float() / 255)))
        differences = DifferenceNet()(features).numpy()
    who = held.labels.tolist()
    assert auc(differences, who) > 0.9
    assert auc(histogram_differences(held.pictures), who) < 0.8
    assert auc(thumbnail_differences(held.pictures), who) < 0.7


def test_the_command_writes_a_sealed_encoder_and_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    few = ["--characters", "24", "--images", "4", "--held-out", "16", "--steps", "3"]
    command = ["ccip", *few, "--seed", "7", "--out"]
    monkeypatch.setattr("training.ccip.cli.SAVE_STEPS", 1)
    advance = Learner.advance

    def interrupted(learner: Learner) -> float:
        if learner.step == 2:
            raise KeyboardInterrupt
        return advance(learner)

    monkeypatch.setattr(Learner, "advance", interrupted)
    assert main([*command, str(tmp_path / "stopped")]) == 130
    assert not (tmp_path / "stopped").exists()
    steps: list[int] = []
    monkeypatch.setattr(Learner, "advance", lambda learner: steps.append(learner.step) or advance(learner))
    assert main([*command, str(tmp_path / "stopped")]) == 0
    assert steps == [2]
    assert main([*command, str(tmp_path / "whole")]) == 0
    for name in FILES:
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == sorted([*FILES, "manifest.json"])
    manifest = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    assert "not comparable with CCIP" in manifest["notice"]
    assert "CC BY 4.0" in manifest["licence"]
    assert set(manifest["training"]["measured"]) == {"encoder", "colour histogram", "thumbnail"}
    assert "colour histogram" in capsys.readouterr().out


def test_the_command_leaves_other_folders_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["ccip", "--out", str(tmp_path)]) == 1
    assert "is not an encoder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--characters", "99999"], "do not exist: choose fewer"),
        (["--characters", "5"], "there are 5 with 20: choose higher --characters"),
        (["--images", "3"], "there are 400 with 3: choose higher"),
        (["--held-out", "10"], "choose --held-out 11 or higher"),
    ],
)
def test_the_command_refuses_before_it_trains(
    wrong: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("training.ccip.cli.render_cast", None)
    assert main(["ccip", "--out", str(tmp_path / "new"), *wrong]) == 1
    assert said in capsys.readouterr().err


def test_the_command_names_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("mine")
    assert main(["ccip", "--out", str(tmp_path / "file" / "new")]) == 1
    assert "cannot be made (Not a directory): choose another --out" in capsys.readouterr().err
