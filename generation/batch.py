"""What every mode of rendering is made of: noise for the rows of a batch, latents to pixels, pixels to an image."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from generation.errors import RenderError
from generation.loading import Parts
from generation.noise import gaussian
from generation.presets import too_large
from generation.recipe import ImageRequest


class BatchNoise:
    """Unit noise for the rows of one batch, each row by its own seed, and a record of what was drawn.

    Calling it with (purpose, step) gives a tensor (B, *shape) float32. Rows of one seed share their draw.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], device: torch.device) -> None:
        self._seeds = tuple(seeds)
        self._shape = shape
        self._device = device
        self._drawn: dict[tuple[int, str], hashlib._Hash] = {}

    def __call__(self, purpose: str, step: int) -> torch.Tensor:
        by_seed = {seed: gaussian(seed, purpose, step, self._shape) for seed in dict.fromkeys(self._seeds)}
        for seed, noise in by_seed.items():
            self._drawn.setdefault((seed, purpose), hashlib.sha256()).update(noise.astype("<f4", copy=False).tobytes())
        return torch.from_numpy(np.stack([by_seed[seed] for seed in self._seeds])).to(self._device)

    def sha256(self, seed: int) -> dict[str, str]:
        """By purpose: the hash of all numbers drawn for this seed, little-endian float32, in the order of steps."""
        return {purpose: drawn.hexdigest() for (own, purpose), drawn in self._drawn.items() if own == seed}


def decode(parts: Parts, latents: torch.Tensor) -> torch.Tensor:
    """Pixels (B, 3, H, W) float32 on the CPU, -1..1, of latents (B, C, h, w) in the UNet's space."""
    pixels: torch.Tensor = parts.vae.decode(latents * parts.latent_std + parts.latent_mean, return_dict=False)[0]
    return pixels.float().cpu()


def encode(parts: Parts, pixels: torch.Tensor) -> torch.Tensor:
    """Latents (B, C, h, w) in the UNet's space of pixels (B, 3, H, W), -1..1: the mean, so nothing is drawn."""
    latents = parts.vae.encode(pixels.to(parts.device, torch.float32)).latent_dist.mode()
    scaled: torch.Tensor = (latents - parts.latent_mean) / parts.latent_std
    return scaled


def latent_shape(parts: Parts, width: int, height: int) -> tuple[int, int, int]:
    """Channels, height and width of one image's latents. Raises RenderError when the size does not fit."""
    factor = parts.latent_factor
    multiple = factor * 2 ** (len(parts.unet.config.block_out_channels) - 1)
    if width % multiple or height % multiple:
        raise RenderError(
            f"size {width}x{height} does not fit {parts.info.name}: both sides must be multiples of {multiple} pixels"
        )
    most = parts.info.max_pixels
    if most is not None and width * height > most:
        raise RenderError(too_large(width, height, most))
    return int(parts.unet.config.in_channels), height // factor, width // factor


def to_image(request: ImageRequest, picture: torch.Tensor) -> Image.Image:
    """(3, H, W) in -1..1 to RGB bytes; a broken picture raises RenderError instead of reaching a voter."""
    scaled = to_bytes(request, picture)
    if bool((scaled == scaled[:1, :1]).all()):
        raise RenderError(f"seed {request.seed}, prompt {request.prompt!r}: the image is one flat colour")
    return Image.fromarray(scaled.numpy())


def to_bytes(request: ImageRequest, picture: torch.Tensor) -> torch.Tensor:
    """(3, H, W) in -1..1 to bytes (H, W, 3). Raises RenderError where it is not finite."""
    if not bool(torch.isfinite(picture).all()):
        raise RenderError(f"seed {request.seed}, prompt {request.prompt!r}: the image has NaN or infinite pixels")
    scaled = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous()
