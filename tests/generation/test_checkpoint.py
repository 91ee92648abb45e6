import hashlib
import json
import shutil

import pytest

from generation.checkpoint import CheckpointError, content_sha256, read_checkpoint, seal_checkpoint
from generation.recipe import Recipe

NEEDED = [
    "checkpoint.json",
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer_2/tokenizer.json",
    "scheduler/scheduler_config.json",
]


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_sound_folder_says_what_was_written(tiny):
    info = read_checkpoint(tiny)
    assert (info.run, info.epoch, info.name, info.preset) == ("tiny", 0, "tiny epoch 0", "tiny")
    assert info.folder == tiny
    assert info.recipe == Recipe(steps=2, batch=4)
    assert info.latent_std == (1.5, 1.25, 0.75, 1.0)
    assert not info.pad_mask


def test_the_content_hash_is_the_documented_one(tiny):
    lines = []
    for path in tiny.rglob("*"):
        name = str(path.relative_to(tiny))
        if path.suffix in {".json", ".txt", ".safetensors"} and name != "checkpoint.json":
            lines.append(name + " " + hashlib.sha256(path.read_bytes()).hexdigest() + "\n")
    assert len(lines) == 14
    assert content_sha256(tiny) == hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


@pytest.mark.parametrize("path", NEEDED)
def test_each_missing_file_is_named(scratch, path):
    (scratch / path).unlink()
    folder = path.rpartition("/")[0]
    with pytest.raises(CheckpointError, match=rf"lacks {folder}.*copy the whole checkpoint folder"):
        read_checkpoint(scratch)


def test_vocab_and_merges_stand_in_for_a_whole_tokenizer_file(scratch):
    fields = json.loads((scratch / "checkpoint.json").read_text())
    (scratch / "tokenizer" / "tokenizer.json").unlink()
    (scratch / "tokenizer" / "vocab.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer"):
        read_checkpoint(scratch)
    (scratch / "tokenizer" / "merges.txt").write_text("")
    assert seal_checkpoint(scratch, fields).name == "tiny epoch 0"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere is not a folder"):
        read_checkpoint(tmp_path / "nowhere")


def test_one_changed_byte_is_noticed(scratch):
    weights = scratch / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match="content hash"):
        read_checkpoint(scratch)


def test_an_added_weights_file_is_noticed(scratch):
    shutil.copy(scratch / "vae" / "diffusion_pytorch_model.safetensors", scratch / "vae" / "second.safetensors")
    with pytest.raises(CheckpointError, match="content hash"):
        read_checkpoint(scratch)


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.bin", "old.ckpt", "x.pt"])
def test_a_pickle_is_refused(scratch, name):
    (scratch / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="pickle"):
        read_checkpoint(scratch)


def test_a_link_out_of_the_folder_is_refused(scratch, tmp_path):
    outside = tmp_path / "elsewhere.safetensors"
    shutil.move(scratch / "vae" / "diffusion_pytorch_model.safetensors", outside)
    (scratch / "vae" / "diffusion_pytorch_model.safetensors").symlink_to(outside)
    with pytest.raises(CheckpointError, match="leaves the checkpoint folder"):
        read_checkpoint(scratch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema is 2"),
        ({"epoch": "2"}, "'epoch' must be int"),
        ({"pad_mask": 0}, "'pad_mask' must be bool"),
        ({"architecture": "flux"}, "'flux' cannot be rendered; known are sdxl, sd15"),
        ({"prediction_type": "x0"}, "prediction_type is 'x0'"),
        ({"prediction_type": "v_prediction"}, "scheduler_config.json: prediction_type is 'epsilon'"),
        ({"recipe": {"steps": 0}}, "steps"),
        ({"latent_mean": None}, "latents_mean"),
        ({"latent_std": [1.0, 1.0, 1.0, float("inf")]}, "finite"),
        ({"sha256": "0" * 64}, "content hash"),
    ],
)
def test_a_wrong_field_of_checkpoint_json_is_named(scratch, change, message):
    edit(scratch / "checkpoint.json", **change)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(scratch)


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("scheduler/scheduler_config.json", {"beta_schedule": "linear"}, "beta_schedule is 'linear'"),
        ("scheduler/scheduler_config.json", {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr"),
        ("vae/config.json", {"latents_std": [1, 1, 1, 2]}, "latents_std"),
        ("vae/config.json", {"scaling_factor": 0.13025}, "scaling_factor must be 1"),
    ],
)
def test_configs_that_contradict_checkpoint_json_are_named(scratch, path, change, message):
    edit(scratch / path, **change)
    with pytest.raises(CheckpointError, match=message):
        seal_checkpoint(scratch, json.loads((scratch / "checkpoint.json").read_text()))


def test_a_missing_field_of_checkpoint_json_is_named(scratch):
    fields = json.loads((scratch / "checkpoint.json").read_text())
    del fields["licence"]
    (scratch / "checkpoint.json").write_text(json.dumps(fields))
    with pytest.raises(CheckpointError, match="'licence' is missing"):
        read_checkpoint(scratch)


@pytest.mark.parametrize("text", ["", "[]", "{", "\udcff"])
def test_damaged_json_is_named(scratch, text):
    (scratch / "checkpoint.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CheckpointError, match=r"checkpoint\.json"):
        read_checkpoint(scratch)


def test_sealing_makes_every_file_readable_for_other_users(scratch):
    assert {path.stat().st_mode & 0o777 for path in scratch.rglob("*") if path.is_file()} == {0o644}
