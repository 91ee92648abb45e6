"""Loss weights over the timesteps, and the autoencoder's reconstruction error."""

from __future__ import annotations

import torch
from torch.nn import functional

SNR_CLIP = 1000.0  # only t = 0 lies above it


def snr(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """Signal-to-noise ratio abar / (1 - abar) at ``timesteps``; same shape, float64."""
    kept = alphas_cumprod.double()[timesteps]
    return kept / (1 - kept)


def weights(kind: str, ratio: torch.Tensor, gamma: float = 5.0) -> torch.Tensor:
    """Weight of each sample's squared epsilon error, given its signal-to-noise ``ratio``.

    "debias": 1 / sqrt(SNR), SNR clipped at 1000 (arXiv:2310.08442, the paper's choice);
    "min_snr": min(SNR, gamma) / SNR (arXiv:2303.09556); "none": 1.

    Raises:
        ValueError: another kind.
    """
    if kind == "debias":
        return ratio.clamp(max=SNR_CLIP).rsqrt()
    if kind == "min_snr":
        return ratio.clamp(max=gamma) / ratio
    if kind == "none":
        return torch.ones_like(ratio)
    raise ValueError(f"unknown loss weighting {kind!r}: none, debias or min_snr")


def epsilon_loss(output: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(weighted, raw) mean squared error of (B, C, H, W): per-sample mean, then weight (B,), then batch mean."""
    each = functional.mse_loss(output, target, reduction="none").mean(dim=(1, 2, 3))
    return (each * weight.to(each.dtype)).mean(), each.mean().detach()


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
