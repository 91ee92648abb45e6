import hashlib
import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.checkpoint import seal_checkpoint
from generation.cli import main
from generation.convert import from_pickle, to_folder, to_single_file
from generation.errors import CheckpointError
from generation.imageio import pixel_sha256
from generation.loading import Origin, load, read_stored
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.single import read_header
from generation.weights import tensors_sha256

D, V, NAN = "model.diffusion_model.", "first_stage_model.", float("nan")
REQUESTS = [ImageRequest("1girl, blue hair", 3), ImageRequest("smile", 4)]


@pytest.fixture(scope="module")
def single(tiny, tmp_path_factory):
    return to_single_file(Origin(tiny), tmp_path_factory.mktemp("single") / "tiny.safetensors")


@pytest.fixture
def damaged(single, tmp_path):
    """Rewrite the single file with ``change(tensors)``, or with other metadata."""

    def write(change=lambda tensors: tensors, metadata=None):
        tensors = change(load_file(single))
        path = tmp_path / "damaged.safetensors"
        save_file(tensors, path, metadata=read_header(single).metadata if metadata is None else metadata)
        return path

    return write


def hashes(origin):
    return load(origin).parts.hashes


def pixels(origin):
    return [pixel_sha256(r.image) for r in Renderer(origin, threads=1).render(Recipe(steps=2, batch=2), REQUESTS)]


def test_both_forms_give_bitwise_equal_images(tiny, single):
    assert pixels(Origin(single, like=tiny)) == pixels(tiny)


def test_there_and_back_gives_the_same_tensor_hashes(tiny, single, tmp_path):
    fields = {"run": "again", "licence": "CC0-1.0", "created_at": "1970-01-01T00:00:00Z"}
    back = to_folder(Origin(single, like=tiny), tmp_path / "back", fields)
    assert hashes(Origin(back.folder)) == hashes(Origin(tiny)) == hashes(Origin(single, like=tiny))
    assert (back.run, back.recipe) == ("again", Recipe(steps=2, batch=4))


def test_the_tensor_hash_is_that_of_the_stored_bytes(tiny):
    tensors = load_file(tiny / "vae" / "diffusion_pytorch_model.safetensors")
    lines = [
        f"{k} torch.float16 {list(v.shape)} {hashlib.sha256(v.numpy().tobytes()).hexdigest()}\n"
        for k, v in sorted(tensors.items())
    ]
    assert tensors_sha256(tensors) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_file_says_what_it_is_and_others_may_read_it(single):
    said = read_header(single).metadata
    assert said["modelspec.prediction_type"] == "epsilon"
    assert said["modelspec.architecture"] == "stable-diffusion-xl-v1-base"
    assert said["modelspec.title"] == "tiny epoch 0"
    assert single.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("bare", [True, False])
def test_text_encoder_keys_with_and_without_the_prefix_load(scratch, bare):
    """Folders that other versions of transformers wrote convert to the same file."""
    wanted = hashes(Origin(scratch))
    for name in ("text_encoder", "text_encoder_2"):
        path = scratch / name / "model.safetensors"
        plain = {key.removeprefix("text_model."): value for key, value in load_file(path).items()}
        prefixed = {k if bare or k == "text_projection.weight" else f"text_model.{k}": v for k, v in plain.items()}
        save_file(prefixed, path, metadata={"format": "pt"})
    seal_checkpoint(scratch, json.loads((scratch / "checkpoint.json").read_text()))
    assert hashes(Origin(scratch)) == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if k != f"{D}out.2.bias"}, f"lacks tensors: {D}out.2.bias"),
        (lambda t: {k: v for k, v in t.items() if "embedders.1" not in k}, r"lacks tensors: conditioner\.embedders\.1"),
        (lambda t: {**t, f"{D}extra": torch.zeros(1)}, f"unexpected tensors: {D}extra"),
        (lambda t: {**t, f"{V}quant_conv.bias": torch.zeros(3)}, rf"misshapen tensors: {V}quant_conv.bias \[3\]"),
        (lambda t: {**t, f"{D}out.2.bias": torch.full((4,), NAN)}, "NaN or infinity in tensors: conv_out.bias"),
    ],
    ids=["missing", "missing component", "extra", "misshapen", "NaN"],
)  # fmt: skip
def test_a_refused_file_names_the_key(tiny, damaged, change, message):
    with pytest.raises(CheckpointError, match=message):
        load(Origin(damaged(change), like=tiny))


def test_keys_that_many_files_carry_without_meaning_are_passed_over(tiny, damaged):
    ignored = {
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": torch.arange(48),
        "conditioner.embedders.1.model.logit_scale": torch.ones(()),
        "denoiser.sigmas": torch.ones(1000),
    }
    path = damaged(lambda t: {**t, **ignored})
    assert hashes(Origin(path, like=tiny)) == hashes(Origin(tiny))


def test_a_truncated_file_is_named(tiny, single, tmp_path):
    path = tmp_path / "short.safetensors"
    path.write_bytes(single.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"short\.safetensors cannot be read"):
        load(Origin(path, like=tiny))
    path.write_bytes(b"no header")
    with pytest.raises(CheckpointError, match="no readable safetensors"):
        load(Origin(path, like=tiny))


def test_a_single_file_needs_a_layout_and_must_not_be_a_link_elsewhere(tiny, single, tmp_path):
    with pytest.raises(CheckpointError, match="--like"):
        load(Origin(single))
    link = tmp_path / "link.safetensors"
    link.symlink_to(single)
    with pytest.raises(CheckpointError, match="leaves its folder"):
        load(Origin(link, like=tiny))
    shutil.copytree(tiny, tmp_path / "layout", ignore=shutil.ignore_patterns("*.safetensors", "checkpoint.json"))
    assert load(Origin(single, like=tmp_path / "layout")).parts.info.recipe.padding == "as_trained"
    foreign = {key: text for key, text in read_header(single).metadata.items() if key.startswith("modelspec.")}
    save_file(load_file(single), tmp_path / "foreign.safetensors", metadata=foreign)
    origin = Origin(tmp_path / "foreign.safetensors", like=tmp_path / "layout")
    assert load(origin).parts.info.recipe.padding == "masked"
    shutil.rmtree(tmp_path / "layout" / "tokenizer_2")
    with pytest.raises(CheckpointError, match="lacks tokenizer_2"):
        load(Origin(single, like=tmp_path / "layout"))


MARKER = {"v_pred": torch.zeros(0)}
ZERO = {"ztsnr": torch.zeros(0)}


@pytest.mark.parametrize(
    ("markers", "spoken", "override", "wanted"),
    [
        (MARKER, None, None, ("v_prediction", False)),
        ({**MARKER, **ZERO}, None, None, ("v_prediction", True)),
        ({}, "v", None, ("v_prediction", False)),
        ({}, "epsilon", None, ("epsilon", False)),
        (MARKER, "v", None, ("v_prediction", False)),
        ({}, None, "v_prediction", ("v_prediction", False)),
        (MARKER, None, "epsilon", ("epsilon", False)),
        ({}, None, None, "nothing in it says how it predicts"),
        (MARKER, "epsilon", None, "disagree"),
        ({}, "rectified flow", None, "modelspec.prediction_type is 'rectified flow'"),
        ({}, None, "x0", "prediction type 'x0' is unknown"),
    ],
)
def test_how_a_file_predicts_is_read_or_told_and_never_guessed(tiny, damaged, markers, spoken, override, wanted):
    metadata = {} if spoken is None else {"modelspec.prediction_type": spoken}
    origin = Origin(damaged(lambda t: {**t, **markers}, metadata), like=tiny, prediction_type=override)
    if isinstance(wanted, str):
        with pytest.raises(CheckpointError, match=wanted):
            load(origin)
    else:
        info = load(origin).parts.info
        assert (info.prediction_type, info.zero_snr) == wanted


def test_a_velocity_checkpoint_keeps_saying_so_in_every_form(tiny, damaged, tmp_path):
    origin = Origin(damaged(lambda t: {**t, **MARKER, **ZERO}, {}), like=tiny)
    folder = to_folder(origin, tmp_path / "folder", {})
    assert (folder.prediction_type, folder.zero_snr) == ("v_prediction", True)
    scheduler = json.loads((tmp_path / "folder" / "scheduler" / "scheduler_config.json").read_text())
    assert (scheduler["prediction_type"], scheduler["rescale_betas_zero_snr"]) == ("v_prediction", True)
    again = to_single_file(Origin(tmp_path / "folder"), tmp_path / "again.safetensors")
    assert {"v_pred", "ztsnr"} <= read_header(again).shapes.keys()
    rendered = next(Renderer(Origin(again, like=tiny)).render(Recipe(steps=2, batch=1), REQUESTS[:1]))
    assert rendered.manifest["checkpoint"]["zero_snr"]
    assert rendered.manifest["schedule"]["sigmas"][0] == pytest.approx(4096, rel=1e-4)


def test_a_pickle_becomes_tensors_and_is_never_loaded(tiny, single, tmp_path):
    pickled = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(single), "epoch": 3}, pickled)
    with pytest.raises(CheckpointError, match="is a pickle"):
        load(Origin(pickled, like=tiny))
    out = from_pickle(pickled, tmp_path / "new.safetensors")
    assert hashes(Origin(out, like=tiny, prediction_type="epsilon")) == hashes(Origin(tiny))


class Payload:
    def __reduce__(self):
        return os.system, ("touch ran-by-pickle",)


def test_a_pickle_that_wants_to_run_something_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps({"state_dict": Payload()}))
    with pytest.raises(CheckpointError, match=r"evil\.ckpt cannot be read as tensors alone"):
        from_pickle(tmp_path / "evil.ckpt", tmp_path / "out.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["evil.ckpt"]


def test_nothing_is_overwritten_and_nothing_half_written(tiny, single, damaged, tmp_path):
    with pytest.raises(CheckpointError, match="there already"):
        to_single_file(Origin(tiny), single)
    nan = damaged(lambda t: {**t, "model.diffusion_model.out.2.bias": torch.full((4,), float("nan"))})
    with pytest.raises(CheckpointError, match=r"conv_out\.bias"):
        to_folder(Origin(nan, like=tiny), tmp_path / "out", {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["damaged.safetensors"]


def test_the_commands_convert_inspect_and_render(tiny, tmp_path, capsys):
    file, folder, out = tmp_path / "a.safetensors", tmp_path / "b", tmp_path / "out"
    assert main(["convert", str(tiny), "--out", str(file)]) == 0
    assert main(["inspect", str(file)]) == 0
    assert "modelspec.title" in capsys.readouterr().out
    assert main(["convert", str(file), "--out", str(folder), "--like", str(tiny), "--run", "b", "--epoch", "2"]) == 0
    assert "b epoch 2" in capsys.readouterr().out
    assert read_stored(Origin(folder)).info.epoch == 2
    command = ["render", str(file), "--like", str(tiny), "--prompt", "smile", "--seed", "5", "--threads", "1"]
    assert main([*command, "--out", str(out), "--blind", str(tmp_path / "blind")]) == 0
    (png,) = out.iterdir()
    assert [path.name for path in (tmp_path / "blind").iterdir()] == ["5.png"]
    assert main(["verify", str(png), "--checkpoint", str(file), "--like", str(tiny)]) == 0
    assert main(["convert", str(tmp_path / "none.ckpt"), "--out", str(tmp_path / "c.safetensors")]) == 1
