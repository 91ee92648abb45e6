"""Which posts a run trains on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training.errors import UserError
from training.images import load_images, to_float
from training.posts import Post
from training.sources import read_posts

ENCODE_BATCH = 64
HELD_OUT = 256  # the last general posts: never trained on, their tags are the prompts that measure


def choose_posts(folder: Path, kind: str) -> list[Post]:
    """The posts with ("named") or without ("general") a character name, "all", or the "held_out" last general ones.

    ``general`` leaves the held-out ones away; ``all`` are all there are.

    Raises:
        UserError: there are none.
    """
    posts = [post for post in read_posts(folder) if kind == "all" or bool(post.character) == (kind == "named")]
    if kind in {"general", "held_out"}:
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
