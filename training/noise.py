"""Noise of a training step: SDXL's schedule, noise offset and input perturbation, each drawn from a named stream."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.rng import stream_key

TIMESTEPS = 1000


def generator(seed: int, *path: int | str) -> torch.Generator:
    """A CPU generator for one purpose and step, independent of all others."""
    return torch.Generator().manual_seed(stream_key(seed, *path) % 2**63)


def alphas_cumprod() -> torch.Tensor:
    """(1000,) float64: the products of 1 - beta for scaled-linear betas from 0.00085 to 0.012 (SDXL)."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)


@dataclass(frozen=True)
class Noised:
    """A batch ready for the U-Net: ``noisy`` (B, C, H, W), ``timesteps`` (B,) and ``target``, the noise to find."""

    noisy: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor


def add_noise(
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    random: torch.Generator,
    *,
    offset: float = 0.0,
    perturbation: float = 0.0,
) -> Noised:
    """x_t = sqrt(abar) x_0 + sqrt(1 - abar) (eps + g xi); the target is eps, without the perturbation.

    ``offset`` o: eps += o n with n ~ N(0, 1) of shape (B, C, 1, 1), in the input and in the target.
    ``perturbation`` b: g ~ U(0, b) for each sample, xi ~ N(0, 1), in the input only (arXiv:2301.11706, eq. 6).
    """
    batch, channels = latents.shape[:2]
    noise = torch.randn(latents.shape, generator=random)
    if offset:
        noise = noise + offset * torch.randn((batch, channels, 1, 1), generator=random)
    carried = noise
    if perturbation:
        strength = perturbation * torch.rand((batch, 1, 1, 1), generator=random)
        carried = noise + strength * torch.randn(latents.shape, generator=random)
    kept = alphas_cumprod()[timesteps].to(latents.dtype)[:, None, None, None]
    return Noised(kept.sqrt() * latents + (1 - kept).sqrt() * carried, timesteps, noise)
