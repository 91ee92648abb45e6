"""The training data: posts chosen by preset, their latents, and the batch of every step as a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.caption_config import CaptionConfig
from training.captions import caption
from training.config import DiffusionConfig
from training.errors import UserError
from training.images import load_images, to_float
from training.posts import Post
from training.schedule import batch_rows
from training.sources import read_posts

ENCODE_BATCH = 64
HELD_OUT = 256  # the last general posts: never trained on, their tags are the prompts that measure


@dataclass(frozen=True)
class Pool:
    """Posts and their normalised latents (N, C, h, w), row by row."""

    posts: Sequence[Post]
    latents: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """What one step trains on: ``latents`` (B, C, h, w) and B captions."""

    latents: torch.Tensor
    captions: list[str]


def choose_posts(folder: Path, kind: str) -> list[Post]:
    """The posts with ("named") or without ("general") a character name, or the "held_out" last of the general ones.

    Raises:
        UserError: there are none.
    """
    posts = [post for post in read_posts(folder) if bool(post.character) == (kind == "named")]
    if kind != "named":
        cut = len(posts) - min(HELD_OUT, len(posts) // 5)
        posts = posts[cut:] if kind == "held_out" else posts[:cut]
    if not posts:
        raise UserError(f"{folder} has no {kind} posts: make the data set with `python -m training dataset demo`")
    return posts


@torch.no_grad()
def encode_images(vae: Any, folder: Path, posts: Sequence[Post]) -> torch.Tensor:
    """Posterior means (N, C, h, w) of the posts' images, not normalised."""
    images = load_images(folder, posts, vae.config.sample_size)
    parts = [vae.encode(to_float(part)).latent_dist.mean for part in images.split(ENCODE_BATCH)]
    return torch.cat(parts)


def latent_moments(latents: torch.Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of (N, C, h, w)."""
    return latents.mean(dim=(0, 2, 3)).tolist(), latents.std(dim=(0, 2, 3)).tolist()


def load_pool(vae: Any, mean: torch.Tensor, std: torch.Tensor, folder: Path, posts: Sequence[Post]) -> Pool:
    """The posts with their latents as the U-Net sees them: (latent - mean) / std, both (1, C, 1, 1)."""
    return Pool(posts, (encode_images(vae, folder, posts) - mean) / std)


def batch_of(pools: Sequence[Pool], shares: Sequence[int], captions: CaptionConfig, seed: int, step: int) -> Batch:
    """The batch of ``step``: ``shares[i]`` posts of ``pools[i]``, each captioned for its pass over its pool."""
    latents: list[torch.Tensor] = []
    texts: list[str] = []
    for pool, share in zip(pools, shares, strict=True):
        for turn, row in batch_rows(seed, step, share, len(pool.posts)):
            latents.append(pool.latents[row])
            texts.append(caption(pool.posts[row], captions, seed, turn).text)
    return Batch(torch.stack(latents), texts)


def shares_of(config: DiffusionConfig) -> tuple[int, int]:
    """How many of a batch come from the chosen posts and how many from general ones."""
    general = round(config.batch * config.general_share)
    return config.batch - general, general
