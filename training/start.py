"""The untrained start of a base: a trained VAE with random U-Net and text encoders, as a whole checkpoint folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from generation.checkpoint import CheckpointInfo
from generation.loading import Parts
from training.checkpoint import RECIPE, identity, write_checkpoint
from training.config import Architecture
from training.data import encode_images, latent_moments
from training.modules import build_text_encoders, build_unet
from training.noise import generator
from training.posts import Post
from training.tokens import BEGIN, END, build_tokenizers, count_words, train_merges, vocabulary


def write_start(
    folder: Path,
    vae: AutoencoderKL,
    posts: Sequence[Post],
    general: Sequence[Post],
    data: Path,
    architecture: Architecture,
    seed: int,
    fields: Mapping[str, Any],
) -> CheckpointInfo:
    """Write the start: tokenizers of all ``posts``' tags, latent scaling measured on the ``general`` posts' images.

    Named characters' names become whole tokens here, reserved for fine-tuning; the base never trains them.
    """
    merges = train_merges(count_words(tag for post in posts for tag in (*post.general, *post.character)))
    words = vocabulary(merges)
    mean, std = latent_moments(encode_images(vae, data, general))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "start", "weights").initial_seed())
        first, second = build_text_encoders(architecture, len(words), begin=words[BEGIN], end=words[END])
        unet = build_unet(architecture)
    tokenizer, tokenizer_2 = build_tokenizers(merges, architecture.text_positions)
    parts = Parts(
        unet=unet,
        vae=vae,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        info=_untrained(folder),
        latent_mean=torch.tensor(mean).view(1, -1, 1, 1),
        latent_std=torch.tensor(std).view(1, -1, 1, 1),
    )
    return write_checkpoint(folder, parts, identity(parts, parent=None, **fields))


def _untrained(folder: Path) -> CheckpointInfo:
    """What the parts say of themselves before a checkpoint is written."""
    return CheckpointInfo(
        folder=folder, run="", epoch=0, step=0, name="", preset="", parent=None, sha256="", architecture="sdxl",
        prediction_type="epsilon", pad_mask=False, latent_mean=None, latent_std=None, licence="", attribution="",
        dataset={}, config={}, config_sha256="", created_at="", recipe=RECIPE,
    )  # fmt: skip
