"""Builds the parts of an SDXL-architecture pipeline from nothing, at the size an Architecture states.

The layout is SDXL's (arXiv:2307.01952): a U-Net conditioned by cross-attention on the penultimate states of two
text encoders side by side and, through ``text_time``, on the second encoder's pooled text and six size numbers.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from training.config import Architecture

GROUPS = 8  # channels of every level divide by it; diffusers' 32 would not
TIME_IDS = 6  # original size, crop corner, target size: SDXL's micro-conditioning
TOKEN_INIT_STD = 0.6  # CLIP's own 0.02 leaves tag words almost alike at the start of so short a training


def build_vae(architecture: Architecture) -> AutoencoderKL:
    """An AutoencoderKL that maps (B, 3, H, W) in [-1, 1] to (B, 4, H/4, W/4) for three levels of channels."""
    levels = len(architecture.vae_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=architecture.vae_channels,
        layers_per_block=1,
        latent_channels=architecture.latent_channels,
        norm_num_groups=GROUPS,
        sample_size=architecture.image_size,
        scaling_factor=1.0,
    )


def build_unet(architecture: Architecture) -> UNet2DConditionModel:
    """The U-Net: no attention on the first level, cross-attention on all others, ``text_time`` conditioning."""
    deeper = len(architecture.unet_channels) - 1
    return UNet2DConditionModel(
        sample_size=architecture.image_size // 2 ** (len(architecture.vae_channels) - 1),
        in_channels=architecture.latent_channels,
        out_channels=architecture.latent_channels,
        layers_per_block=1,
        block_out_channels=architecture.unet_channels,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * deeper),
        up_block_types=(*["CrossAttnUpBlock2D"] * deeper, "UpBlock2D"),
        cross_attention_dim=sum(architecture.text_widths),
        attention_head_dim=architecture.unet_heads,
        transformer_layers_per_block=1,
        norm_num_groups=GROUPS,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=architecture.time_id_width,
        projection_class_embeddings_input_dim=architecture.text_widths[1] + TIME_IDS * architecture.time_id_width,
    )


def build_text_encoders(
    architecture: Architecture, vocabulary: int, *, begin: int, end: int
) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """Two CLIP text encoders of different width over one vocabulary; the second projects its pooled state."""
    first, second = (
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=architecture.text_layers,
            num_attention_heads=architecture.text_heads,
            max_position_embeddings=architecture.text_positions,
            hidden_act=act,
            bos_token_id=begin,
            eos_token_id=end,
            pad_token_id=pad,
        )
        for width, act, pad in zip(architecture.text_widths, ("quick_gelu", "gelu"), (end, 0), strict=True)
    )
    encoders = CLIPTextModel(first), CLIPTextModelWithProjection(second)
    for encoder in encoders:
        torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=TOKEN_INIT_STD)
    return encoders


def build_scheduler(prediction: str = "epsilon", *, zero_snr: bool = False) -> EulerDiscreteScheduler:
    """SDXL's noise schedule: scaled-linear betas 0.00085 to 0.012 over 1,000 steps, rescaled with ``zero_snr``."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction,
        rescale_betas_zero_snr=zero_snr,
        steps_offset=1,
        timestep_spacing="trailing" if zero_snr else "leading",  # leading would never sample the pure noise
    )


def parameters(module: torch.nn.Module) -> int:
    """How many numbers ``module`` learns."""
    return sum(parameter.numel() for parameter in module.parameters())
