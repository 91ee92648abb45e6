"""Images of a data set as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from training.errors import UserError
from training.folder import Pictures
from training.posts import Post


def load_images(folder: Path, posts: Sequence[Post], size: int) -> torch.Tensor:
    """The images of the data set in ``folder`` as a (N, 3, size, size) uint8 tensor.

    Raises:
        UserError: a file is missing, unreadable or of another size.
    """
    pictures = Pictures(folder)
    images = torch.empty(len(posts), 3, size, size, dtype=torch.uint8)
    for row, post in enumerate(posts):
        images[row] = torch.from_numpy(_pixels(pictures.data(post), post, size)).permute(2, 0, 1)
    return images


def _pixels(data: bytes, post: Post, size: int) -> np.ndarray:
    try:
        with Image.open(BytesIO(data)) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(
            f"cannot read image {post.file_path} of post {post.id}: {error}; make the data set again"
        ) from error
    if pixels.shape[:2] != (size, size):
        found = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise UserError(f"{post.file_path} is {found}, expected {size}x{size}: make the data set again")
    return pixels


def to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 to float -1..1, the VAE's range; same shape."""
    return images.float() / 127.5 - 1
