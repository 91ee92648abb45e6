import json
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation import tiny as tiny_module
from generation.checkpoint import CheckpointError, seal_checkpoint
from generation.loading import load_parts
from generation.tiny import write_tiny_checkpoint

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"
TEXT_2 = "text_encoder_2/model.safetensors"


def reseal(folder):
    """Make the content hash right again, so that only the loader can object."""
    seal_checkpoint(folder, json.loads((folder / "checkpoint.json").read_text()))


def edit_tensors(folder, path, change):
    tensors = load_file(folder / path)
    save_file(change(dict(tensors)) or tensors, folder / path, metadata={"format": "pt"})
    reseal(folder)


def edit_config(folder, path, **changes):
    config = folder / path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    reseal(folder)


def state(parts):
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        for key, value in getattr(parts, name).state_dict().items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_component_gets_the_asked_dtype_though_float16_is_stored(tiny, dtype):
    assert load_file(tiny / TEXT)["embeddings.token_embedding.weight"].dtype == torch.float16
    parts = load_parts(tiny, dtype=dtype)
    dtypes = {key: value.dtype for key, value in state(parts)}
    assert {value for key, value in dtypes.items() if not key.startswith("vae.")} == {dtype}
    assert {value for key, value in dtypes.items() if key.startswith("vae.")} == {torch.float32}


def test_loaded_weights_are_the_stored_ones_and_nothing_is_left_on_meta(tiny):
    parts = load_parts(tiny)
    stored = {f"unet.{k}": v for k, v in load_file(tiny / UNET).items()}
    stored |= {f"text_encoder_2.{k}": v for k, v in load_file(tiny / TEXT_2).items()}
    loaded = dict(state(parts))
    assert all(torch.equal(loaded[key], value.float()) for key, value in stored.items())
    for module in (parts.unet, parts.vae, parts.text_encoder, parts.text_encoder_2):
        assert not any(tensor.is_meta for tensor in [*module.parameters(), *module.buffers()])
        assert not module.training


def test_latents_are_scaled_as_the_checkpoint_says(tiny):
    parts = load_parts(tiny)
    assert parts.latent_mean.flatten().tolist() == pytest.approx([0.1, -0.2, 0.0, 0.3])
    assert parts.latent_std.shape == (1, 4, 1, 1)
    assert (parts.max_tokens, parts.latent_factor) == (48, 4)


def test_without_mean_and_std_the_scaling_factor_of_the_vae_counts(scratch):
    fields = json.loads((scratch / "checkpoint.json").read_text())
    config = scratch / "vae" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "latents_mean": None, "latents_std": None, "scaling_factor": 0.125}))
    seal_checkpoint(scratch, {**fields, "latent_mean": None, "latent_std": None})
    parts = load_parts(scratch)
    assert parts.latent_std.flatten().tolist() == [8.0] * 4
    assert parts.latent_mean.flatten().tolist() == [0.0] * 4


def test_loading_touches_neither_the_network_nor_the_random_numbers(tiny, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a network call was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = torch.random.get_rng_state()
    load_parts(tiny)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("prefixed", [True, False])
def test_text_encoders_load_with_and_without_the_prefix(scratch, prefixed):
    def rename(tensors):
        bare = {key.removeprefix("text_model."): value for key, value in tensors.items()}
        return {f"text_model.{k}" if prefixed and k != "text_projection.weight" else k: v for k, v in bare.items()}

    wanted = dict(state(load_parts(scratch)))
    edit_tensors(scratch, TEXT, rename)
    edit_tensors(scratch, TEXT_2, rename)
    loaded = dict(state(load_parts(scratch)))
    assert all(torch.equal(loaded[key], value) for key, value in wanted.items())


def test_position_ids_stored_by_old_versions_are_ignored(scratch):
    edit_tensors(scratch, TEXT, lambda t: {**t, "text_model.embeddings.position_ids": torch.arange(48)[None]})
    assert load_parts(scratch).text_encoder.embeddings.position_ids.tolist() == [list(range(48))]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (UNET, "conv_in.weight"),
        (VAE, "decoder.conv_out.bias"),
        (TEXT, "final_layer_norm.weight"),
        (TEXT_2, "text_projection.weight"),
    ],
)
class TestDamagedTensors:
    def test_a_missing_one_is_named(self, scratch, path, key):
        edit_tensors(scratch, path, lambda t: {k: v for k, v in t.items() if k != key})
        with pytest.raises(CheckpointError, match=f"lacks tensors: {key}"):
            load_parts(scratch)

    def test_an_unexpected_one_is_named(self, scratch, path, key):
        edit_tensors(scratch, path, lambda t: {**t, f"{key}.extra": torch.zeros(1)})
        with pytest.raises(CheckpointError, match=f"unexpected tensors: {key}.extra"):
            load_parts(scratch)

    def test_a_misshapen_one_is_named(self, scratch, path, key):
        edit_tensors(scratch, path, lambda t: {**t, key: t[key][:1].clone()})
        with pytest.raises(CheckpointError, match=f"misshapen tensors: {key}"):
            load_parts(scratch)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_one_that_is_not_finite_is_named(self, scratch, path, key, value):
        edit_tensors(scratch, path, lambda t: {**t, key: t[key].index_fill(0, torch.tensor([0]), value)})
        with pytest.raises(CheckpointError, match=f"NaN or infinity in tensors: {key}"):
            load_parts(scratch)


def test_weights_that_overflow_the_asked_dtype_are_refused(scratch):
    edit_tensors(scratch, UNET, lambda t: {**t, "conv_in.bias": torch.full((8,), 1e6)})
    assert load_parts(scratch).unet.conv_in.bias[0] == 1e6
    with pytest.raises(CheckpointError, match=r"conv_in\.bias"):
        load_parts(scratch, dtype=torch.float16)


def test_two_sets_of_weights_in_one_folder_are_refused(scratch):
    save_file(load_file(scratch / UNET), scratch / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    reseal(scratch)
    with pytest.raises(CheckpointError, match="twice"):
        load_parts(scratch)


def test_a_truncated_file_is_named(scratch):
    (scratch / UNET).write_bytes((scratch / UNET).read_bytes()[:-100])
    reseal(scratch)
    with pytest.raises(CheckpointError, match=r"diffusion_pytorch_model\.safetensors cannot be read"):
        load_parts(scratch)


def test_a_damaged_tokenizer_is_named(scratch):
    (scratch / "tokenizer_2" / "tokenizer.json").write_text('{"version": "1.0"}')
    reseal(scratch)
    with pytest.raises(CheckpointError, match="tokenizer_2 holds no readable"):
        load_parts(scratch)


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("unet", {"_class_name": "FluxTransformer2DModel"}, "_class_name"),
        ("unet", {"block_out_channels": [8]}, "no buildable component"),
        ("unet", {"addition_time_embed_dim": 4}, "projection_class_embeddings_input_dim"),
        ("text_encoder", {"eos_token_id": 49407}, "text_encoder pools at token 49407"),
        ("text_encoder_2", {"eos_token_id": 7}, "text_encoder_2 pools at token 7"),
    ],
)
def test_a_config_that_fits_nothing_else_is_refused(scratch, path, change, message):
    edit_config(scratch, path, **change)
    with pytest.raises(CheckpointError, match=message):
        load_parts(scratch)


def test_the_old_end_token_of_two_means_the_highest_id(scratch):
    edit_config(scratch, "text_encoder_2", eos_token_id=2)
    assert load_parts(scratch).text_encoder_2.config.eos_token_id == 2


def test_text_encoders_of_one_width_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny_module, "WIDTHS", (24, 24))
    write_tiny_checkpoint(tmp_path / "same", seed=1)
    with pytest.raises(CheckpointError, match="24 wide"):
        load_parts(tmp_path / "same")
