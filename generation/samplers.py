"""Euler and Euler ancestral sampling as pure functions, in the sigma formulation of k-diffusion.

Terms, formulas and guarantees stand in docs/euler-ancestral.md. Symbols: x is the state ``x0 + sigma * noise``,
sigma the noise level, eta the share of fresh noise (1 for ancestral, 0 for plain Euler).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from generation.checkpoint import SDXL_SCHEDULE

Denoiser = Callable[[torch.Tensor, int], torch.Tensor]
StepNoise = Callable[[int], torch.Tensor]
Sampler = Callable[[Denoiser, torch.Tensor, Sequence[float], StepNoise], torch.Tensor]

LEADING_OFFSET = 1


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise levels a sampler visits.

    Attributes:
        timesteps: n training timesteps, 999..0, falling.
        sigmas: their n noise levels and a final 0.
        initial_scale: what unit noise is multiplied with to become the first x.
    """

    timesteps: tuple[int, ...]
    sigmas: tuple[float, ...]
    initial_scale: float


def training_sigmas() -> NDArray[np.float64]:
    """Noise levels ``sqrt((1 - abar) / abar)`` of SDXL's 1,000 training timesteps, rising from 0.029 to 14.6."""
    start, end, count = (SDXL_SCHEDULE[key] for key in ("beta_start", "beta_end", "num_train_timesteps"))
    betas = np.linspace(start**0.5, end**0.5, count) ** 2
    abar = np.cumprod(1 - betas)
    return np.sqrt((1 - abar) / abar)


def make_schedule(steps: int, spacing: str) -> Schedule:
    """Choose timesteps as Lin et al. 2024 (arXiv 2305.08891, table 2) name them.

    ``trailing`` starts at the noisiest timestep, 999; ``leading`` is what SDXL was published with, starts below it
    and is off by one. Raises ValueError for another spacing.
    """
    train = training_sigmas()
    count = len(train)
    if spacing == "trailing":
        timesteps = [round(count - i * count / steps) - 1 for i in range(steps)]
    elif spacing == "leading":
        timesteps = [i * (count // steps) + LEADING_OFFSET for i in reversed(range(steps))]
    else:
        raise ValueError(f"spacing must be 'trailing' or 'leading', got {spacing!r}")
    sigmas = [float(train[t]) for t in timesteps]
    # Below full noise the image's own variance is no longer negligible beside sigma squared.
    initial_scale = sigmas[0] if spacing == "trailing" else (sigmas[0] ** 2 + 1) ** 0.5
    return Schedule(tuple(timesteps), (*sigmas, 0.0), initial_scale)


def ancestral_split(sigma_from: float, sigma_to: float, eta: float) -> tuple[float, float]:
    """Split a step down to ``sigma_to`` into ``(sigma_down, sigma_up)``: how far to denoise, how much noise to add.

    Their squares add up to ``sigma_to ** 2``, so the noise level after the step is right for every eta.
    """
    up = min(sigma_to, eta * (sigma_to**2 * (sigma_from**2 - sigma_to**2) / sigma_from**2) ** 0.5)
    return (sigma_to**2 - up**2) ** 0.5, up


def sample_euler(
    denoiser: Denoiser, x: torch.Tensor, sigmas: Sequence[float], noise: StepNoise, *, eta: float
) -> torch.Tensor:
    """Integrate x from ``sigmas[0]`` to 0 and return the denoised state.

    Args:
        denoiser: ``denoiser(x, i)`` estimates x0, shaped as x, at noise level ``sigmas[i]``.
        x: start state (B, C, h, w) float32.
        sigmas: n + 1 falling noise levels, the last one 0.
        noise: ``noise(i)`` is unit noise shaped as x for step i; not asked for when none is added.
        eta: 0 for Euler's method on the probability-flow ODE, 1 for ancestral sampling.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoiser(x, i)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        slope = (x - x0) / sigma
        x = x + slope * (sigma_down - sigma)
        if sigma_up > 0:
            x = x + noise(i) * sigma_up
    return x


SAMPLERS: dict[str, Sampler] = {"euler_a": partial(sample_euler, eta=1.0), "euler": partial(sample_euler, eta=0.0)}
