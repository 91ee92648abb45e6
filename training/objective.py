"""The training objective: what the U-Net is given, what it should answer, and how much each sample counts.

docs/objective.md has the formulas and where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from training.batch import Batch
from training.noise import alphas_cumprod, draw
from training.train_config import ObjectiveConfig

Denoise = Callable[[torch.Tensor, torch.Tensor, Batch], torch.Tensor]  # noisy, timesteps, batch -> output


@dataclass(frozen=True)
class Noised:
    """B samples ready for the U-Net: ``noisy`` (B, C, h, w), ``timesteps`` (B,), and the ``target`` of its answer."""

    noisy: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor


@dataclass(frozen=True)
class Losses:
    """Of B samples, all (B,): ``weighted`` is what is minimised, ``raw`` the mean squared error, without gradient."""

    weighted: torch.Tensor
    raw: torch.Tensor
    timesteps: torch.Tensor


class Objective:
    """``objective(denoise, batch, step)``: the losses of a batch, a pure function of weights, batch, seed and step."""

    def __init__(self, config: ObjectiveConfig, seed: int) -> None:
        self.config = config
        self._seed = seed
        self._alphas = alphas_cumprod(zero_snr=config.zero_snr)
        self._weights = weights(config, self._alphas / (1 - self._alphas))

    def __call__(self, denoise: Denoise, batch: Batch, step: int) -> Losses:
        """Noise the batch, denoise it, and compare."""
        noised = self.noised(batch.latents, batch.places, step)
        return self.losses(denoise(noised.noisy, noised.timesteps, batch), noised)

    def noised(self, latents: torch.Tensor, places: Sequence[int], step: int) -> Noised:
        """x_t = sqrt(abar) x_0 + sqrt(1 - abar) (eps + g xi) with its target, which knows nothing of g xi.

        The target is eps, or v = sqrt(abar) eps - sqrt(1 - abar) x_0 (arXiv:2202.00512, section 4).
        """
        drawn = draw(latents.shape[1:], self.config, self._seed, step, places)
        kept = self._alphas[drawn.timesteps].to(latents.device, latents.dtype)[:, None, None, None]
        noise, carried = (part.to(latents.device, latents.dtype) for part in (drawn.noise, drawn.carried))
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * carried
        if self.config.prediction == "v_prediction":
            noise = kept.sqrt() * noise - (1 - kept).sqrt() * latents
        return Noised(noisy, drawn.timesteps.to(latents.device), noise)

    def losses(self, output: torch.Tensor, noised: Noised) -> Losses:
        """Mean squared error of each sample, then its weight; the mean over the batch is left to the caller."""
        raw = functional.mse_loss(output, noised.target, reduction="none").mean(dim=(1, 2, 3))
        weight = self._weights[noised.timesteps.cpu()].to(raw.device, raw.dtype)
        return Losses(raw * weight, raw.detach(), noised.timesteps)


def weights(config: ObjectiveConfig, snr: torch.Tensor) -> torch.Tensor:
    """Weight of a squared error at signal-to-noise ratio ``snr``; same shape.

    | | epsilon | v-prediction |
    |---|---|---|
    | ``debias`` (arXiv:2310.08442) | 1/sqrt(SNR) | 1/sqrt(SNR + 1) or 1/(SNR + 1) |
    | ``min_snr`` (arXiv:2303.09556) | min(SNR, gamma)/SNR | min(SNR, gamma)/(SNR + 1) |
    """
    one = 1 if config.prediction == "v_prediction" else 0
    if config.weighting == "none":
        return torch.ones_like(snr)
    snr = snr.clamp(min=config.snr_floor)
    if config.weighting == "min_snr":
        return snr.clamp(max=config.min_snr_gamma) / (snr + one)
    shifted = snr.clamp(max=config.snr_clip) + one
    return 1 / shifted if one and config.v_debias == "plain" else shifted.rsqrt()
