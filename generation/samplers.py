"""Samplers as pure functions, in the sigma formulation of k-diffusion: Euler, Euler ancestral, DPM++ 2M.

Terms, formulas and guarantees stand in docs/euler-ancestral.md and docs/dpmpp-2m.md. Symbols: x is the state
``x0 + sigma * noise``, sigma the noise level, eta the share of fresh noise (1 for ancestral, 0 for plain Euler).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from generation.checkpoint import SCHEDULE

Denoiser = Callable[[torch.Tensor, int], torch.Tensor]
StepNoise = Callable[[int], torch.Tensor]
Sampler = Callable[[Denoiser, torch.Tensor, Sequence[float], StepNoise], torch.Tensor]

LEADING_OFFSET = 1
KARRAS_RHO = 7.0
SMALLEST_ABAR = 2.0**-24


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise levels a sampler visits.

    Attributes:
        timesteps: n training timesteps, 999..0, falling; with ``karras`` they lie between whole ones.
        sigmas: their n noise levels and a final 0.
        initial_scale: what unit noise is multiplied with to become the first x.
    """

    timesteps: tuple[int, ...] | tuple[float, ...]
    sigmas: tuple[float, ...]
    initial_scale: float

    def last(self, strength: float) -> "Schedule":
        """The last ``int(n * strength)`` steps, at least one: where image-to-image begins (Meng et al. 2021, SDEdit).

        Their first x is ``latents + sigmas[0] * noise``. Raises ValueError unless 0 < strength <= 1.
        """
        if not 0 < strength <= 1:
            raise ValueError(f"strength must be above 0 and at most 1, got {strength!r}")
        skip = len(self.timesteps) - max(1, int(len(self.timesteps) * strength))
        return Schedule(self.timesteps[skip:], self.sigmas[skip:], self.sigmas[skip])


def training_sigmas(*, zero_snr: bool = False) -> NDArray[np.float64]:
    """Noise levels ``sqrt((1 - abar) / abar)`` of SDXL's 1,000 training timesteps, rising from 0.029 to 14.6.

    With ``zero_snr`` the schedule is rescaled so that the last timestep is pure noise (Lin et al. 2024, algorithm 1);
    its abar of 0 is replaced by 2**-24, so the last level is 4096 instead of infinite.
    """
    start, end, count = (SCHEDULE[key] for key in ("beta_start", "beta_end", "num_train_timesteps"))
    betas = np.linspace(start**0.5, end**0.5, count) ** 2
    abar = np.cumprod(1 - betas)
    if zero_snr:
        root = np.sqrt(abar)
        abar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        abar[-1] = SMALLEST_ABAR
    return np.sqrt((1 - abar) / abar)


def make_schedule(steps: int, spacing: str, *, zero_snr: bool = False) -> Schedule:
    """Choose noise levels: ``trailing`` and ``leading`` as Lin et al. 2024 (arXiv 2305.08891, table 2) name them,
    ``karras`` as Karras et al. 2022, equation 5, with rho 7 between the first and the last training level.

    Raises ValueError for another spacing.
    """
    train = training_sigmas(zero_snr=zero_snr)
    if spacing == "karras":
        return _karras(steps, train)
    count = len(train)
    if spacing == "trailing":
        timesteps = [round(count - i * count / steps) - 1 for i in range(steps)]
    elif spacing == "leading":
        timesteps = [i * (count // steps) + LEADING_OFFSET for i in reversed(range(steps))]
    else:
        raise ValueError(f"unknown spacing {spacing!r}")
    sigmas = [float(train[t]) for t in timesteps]
    # Below full noise the image's own variance is no longer negligible beside sigma squared.
    initial_scale = sigmas[0] if spacing == "trailing" else (sigmas[0] ** 2 + 1) ** 0.5
    return Schedule(tuple(timesteps), (*sigmas, 0.0), initial_scale)


def _karras(steps: int, train: NDArray[np.float64]) -> Schedule:
    ramp = np.linspace(0, 1, steps)
    low, high = train[0] ** (1 / KARRAS_RHO), train[-1] ** (1 / KARRAS_RHO)
    sigmas = (high + ramp * (low - high)) ** KARRAS_RHO
    # The UNet knows timesteps, not levels: the one whose log level is this, between its neighbours.
    timesteps = np.interp(np.log(sigmas), np.log(train), np.arange(len(train)))
    return Schedule(tuple(timesteps.tolist()), (*sigmas.tolist(), 0.0), float(sigmas[0]))


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


def sample_dpmpp_2m(
    denoiser: Denoiser, x: torch.Tensor, sigmas: Sequence[float], noise: StepNoise | None = None
) -> torch.Tensor:
    """DPM-Solver++(2M): Lu et al. 2022 (arXiv 2211.01095), algorithm 2, in the sigma formulation.

    With lambda = -log sigma the exact step is ``x * sigma_next / sigma - expm1(-h) * D``; D extrapolates x0 from this
    and the previous estimate, linearly in lambda. First order where there is no previous one, and in the step to 0.

    Args: as `sample_euler`; ``noise`` is never asked.
    """
    x0_before, h_before = None, 0.0
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoiser(x, i)
        if sigma_next == 0:
            return x0
        h = math.log(sigma / sigma_next)
        estimate = x0 if x0_before is None else x0 + (x0 - x0_before) * (h / h_before / 2)
        x = x * (sigma_next / sigma) - estimate * math.expm1(-h)
        x0_before, h_before = x0, h
    return x


SAMPLERS: dict[str, Sampler] = {
    "euler_a": partial(sample_euler, eta=1.0),
    "euler": partial(sample_euler, eta=0.0),
    "dpmpp_2m": sample_dpmpp_2m,
}
