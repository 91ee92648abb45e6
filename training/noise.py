"""Noise of a training step: SDXL's schedule, noise offset, input perturbation, drawn for each sample by itself.

A sample's numbers depend on the seed, the step and its place in the step's whole batch, so that they stay the same
however the batch is cut into micro-batches and processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.rng import stream_key
from training.train_config import ObjectiveConfig

TIMESTEPS = 1000


def generator(seed: int, *path: int | str) -> torch.Generator:
    """A CPU generator for one purpose and step, independent of all others."""
    return torch.Generator().manual_seed(stream_key(seed, *path) % 2**63)


def alphas_cumprod(*, zero_snr: bool = False) -> torch.Tensor:
    """(1000,) float64: the products of 1 - beta for scaled-linear betas from 0.00085 to 0.012 (SDXL).

    ``zero_snr``: their roots are shifted and scaled so that the last is 0 and the first stays (arXiv:2305.08891,
    algorithm 1).
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    if not zero_snr:
        return kept
    root = kept.sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


@dataclass(frozen=True)
class Drawn:
    """Random numbers of B samples: ``timesteps`` (B,), ``noise`` (B, C, h, w), and ``carried``, the perturbed noise."""

    timesteps: torch.Tensor
    noise: torch.Tensor
    carried: torch.Tensor


def draw(shape: Sequence[int], config: ObjectiveConfig, seed: int, step: int, places: Sequence[int]) -> Drawn:
    """Timestep and noise of samples of ``shape`` (C, h, w) at these ``places`` of the step's batch, on the CPU.

    ``noise`` is eps + o n, n of shape (C, 1, 1); ``carried`` is that + g xi, with g by ``config.perturbation``
    (arXiv:2301.11706, equation 6).
    """
    of_batch = torch.rand((), generator=generator(seed, "perturbation", step)) if _drawn_once(config) else None
    samples = [_one(shape, config, generator(seed, "noise", step, place), of_batch) for place in places]
    timesteps, noise, carried = (torch.stack(part) for part in zip(*samples, strict=True))
    return Drawn(timesteps, noise, carried)


def _drawn_once(config: ObjectiveConfig) -> bool:
    return config.input_perturbation > 0 and config.perturbation == "batch"


def _one(
    shape: Sequence[int], config: ObjectiveConfig, random: torch.Generator, of_batch: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    timestep = torch.randint(TIMESTEPS, (), generator=random)
    noise = torch.randn(*shape, generator=random)
    if config.noise_offset:
        noise += config.noise_offset * torch.randn(shape[0], 1, 1, generator=random)
    if not config.input_perturbation:
        return timestep, noise, noise
    strength: torch.Tensor | float = 1.0 if of_batch is None else of_batch
    if config.perturbation == "sample":
        strength = torch.rand((), generator=random)
    return timestep, noise, noise + config.input_perturbation * strength * torch.randn(*shape, generator=random)
