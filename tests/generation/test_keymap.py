import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)

from generation.checkpoint import read_json
from generation.keymap import places
from generation.loading import Origin, read_stored
from generation.weights import as_single_file

SDXL = {
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "layers_per_block": 2,
}
SDXL_VAE = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}
D, V = "model.diffusion_model.", "first_stage_model."


@pytest.mark.parametrize(
    ("component", "ours", "theirs"),
    [
        ("unet", "conv_in.weight", f"{D}input_blocks.0.0.weight"),
        ("unet", "down_blocks.0.resnets.1.conv1.bias", f"{D}input_blocks.2.0.in_layers.2.bias"),
        ("unet", "down_blocks.0.downsamplers.0.conv.weight", f"{D}input_blocks.3.0.op.weight"),
        ("unet", "down_blocks.1.resnets.0.conv_shortcut.weight", f"{D}input_blocks.4.0.skip_connection.weight"),
        (
            "unet",
            "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0.bias",
            f"{D}input_blocks.4.1.transformer_blocks.1.attn2.to_out.0.bias",
        ),
        ("unet", "down_blocks.2.attentions.1.proj_in.weight", f"{D}input_blocks.8.1.proj_in.weight"),
        ("unet", "mid_block.attentions.0.norm.weight", f"{D}middle_block.1.norm.weight"),
        ("unet", "mid_block.resnets.1.time_emb_proj.bias", f"{D}middle_block.2.emb_layers.1.bias"),
        ("unet", "up_blocks.0.upsamplers.0.conv.weight", f"{D}output_blocks.2.2.conv.weight"),
        ("unet", "up_blocks.1.upsamplers.0.conv.bias", f"{D}output_blocks.5.2.conv.bias"),
        ("unet", "up_blocks.2.resnets.2.norm2.weight", f"{D}output_blocks.8.0.out_layers.0.weight"),
        ("unet", "add_embedding.linear_2.weight", f"{D}label_emb.0.2.weight"),
        ("unet", "conv_norm_out.weight", f"{D}out.0.weight"),
        ("vae", "encoder.down_blocks.0.downsamplers.0.conv.weight", f"{V}encoder.down.0.downsample.conv.weight"),
        ("vae", "decoder.up_blocks.0.resnets.2.norm1.weight", f"{V}decoder.up.3.block.2.norm1.weight"),
        ("vae", "decoder.up_blocks.2.resnets.0.conv_shortcut.bias", f"{V}decoder.up.1.block.0.nin_shortcut.bias"),
        ("vae", "decoder.mid_block.attentions.0.to_q.weight", f"{V}decoder.mid.attn_1.q.weight"),
        ("vae", "quant_conv.weight", f"{V}quant_conv.weight"),
        (
            "text_encoder",
            "encoder.layers.3.mlp.fc1.weight",
            "conditioner.embedders.0.transformer.text_model.encoder.layers.3.mlp.fc1.weight",
        ),
        (
            "text_encoder_2",
            "text_model.encoder.layers.31.self_attn.v_proj.bias",
            "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_bias",
        ),
        ("text_encoder_2", "text_projection.weight", "conditioner.embedders.1.model.text_projection"),
    ],
)  # fmt: skip
def test_the_names_in_published_sdxl_files(component, ours, theirs):
    config = {"unet": SDXL, "vae": SDXL_VAE}.get(component, {})
    assert places(component, [ours], config)[ours].name == theirs


@pytest.fixture(scope="module")
def stored(tiny):
    return read_stored(Origin(tiny))


def single(stored, component):
    return as_single_file(component, stored.tensors[component], stored.configs[component], stored.info.family)


def equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_diffusers_reads_our_unet_back(stored):
    config = {**stored.configs["unet"], "class_embed_type": None}
    equal(convert_ldm_unet_checkpoint(single(stored, "unet"), config), stored.tensors["unet"])


def test_diffusers_reads_our_vae_back(stored, tiny):
    config = read_json(tiny / "vae" / "config.json")
    equal(convert_ldm_vae_checkpoint(single(stored, "vae"), config), stored.tensors["vae"])


def test_diffusers_reads_our_second_text_encoder_back(stored):
    encoder = stored.modules["text_encoder_2"]
    prefix = "conditioner.embedders.1.model."
    theirs = convert_open_clip_checkpoint(encoder, single(stored, "text_encoder_2"), prefix)
    equal({key: value for key, value in theirs.items() if "position_ids" not in key}, stored.tensors["text_encoder_2"])
