"""The autoencoder's reconstruction error."""

from __future__ import annotations

import torch
from torch.nn import functional


def opponent(images: torch.Tensor, chroma_weight: float) -> torch.Tensor:
    """RGB (B, 3, H, W) as lightness, red-green and yellow-blue, the two colour differences times ``chroma_weight``.

    The eye's own axes; in plain RGB an outline outweighs the colour of the area that it encloses.
    """
    red, green, blue = images.unbind(1)
    light = (red + green + blue) / 3
    return torch.stack([light, chroma_weight * (red - green) / 2, chroma_weight * ((red + green) / 2 - blue) / 2], 1)


def reconstruction_loss(
    output: torch.Tensor, target: torch.Tensor, gradient_weight: float, coarse_weight: float
) -> torch.Tensor:
    """Mean absolute error of the pixels, of their horizontal and vertical differences, and of 4x4 averages."""
    error = output - target
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    coarse = functional.avg_pool2d(error, 4).abs().mean()
    return error.abs().mean() + gradient_weight * (across + down) / 2 + coarse_weight * coarse


def psnr(output: torch.Tensor, target: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB of images in -1..1 (peak-to-peak 2), from the mean error of all of them."""
    return float(10 * torch.log10(4 / (output.clamp(-1, 1) - target).square().mean()))
