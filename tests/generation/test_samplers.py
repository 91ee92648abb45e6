from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete as reference
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from generation.checkpoint import SDXL_SCHEDULE
from generation.noise import gaussian
from generation.samplers import SAMPLERS, ancestral_split, make_schedule, sample_euler, training_sigmas

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (2, 4, 8, 8)


def their_schedule(kind, steps, spacing):
    scheduler = kind(**SDXL_SCHEDULE, timestep_spacing=spacing, steps_offset=1)
    scheduler.set_timesteps(steps)
    return scheduler


def with_their_sigmas(schedule, scheduler):
    """Diffusers rounds sigmas to float32 on the way; with its own ones only the steps themselves are compared."""
    return replace(schedule, sigmas=tuple(scheduler.sigmas.tolist()), initial_scale=float(scheduler.init_noise_sigma))


def unit_noise(step):
    return torch.from_numpy(gaussian(5, "ancestral", step, SHAPE))


def epsilon(scaled, timestep):
    """Any smooth function will do for a UNet; like a UNet it mostly returns the noise that is in its input."""
    return scaled * 0.9 + torch.sin(scaled * 3) * 0.1 + timestep / 20_000


def ours(name, schedule, x):
    def denoiser(x, i):
        sigma = schedule.sigmas[i]
        return x - sigma * epsilon(x / (sigma**2 + 1) ** 0.5, schedule.timesteps[i])

    return SAMPLERS[name](denoiser, x * schedule.initial_scale, schedule.sigmas, unit_noise)


def theirs(scheduler, x):
    x = x * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        x = scheduler.step(epsilon(scheduler.scale_model_input(x, t), t), t, x).prev_sample
    return x


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 2, 7, 12, 28, 50, 150])
def test_the_schedule_is_that_of_diffusers(steps, spacing):
    scheduler = their_schedule(reference.EulerAncestralDiscreteScheduler, steps, spacing)
    schedule = make_schedule(steps, spacing)
    assert list(schedule.timesteps) == scheduler.timesteps.tolist()
    assert list(schedule.sigmas) == pytest.approx(scheduler.sigmas.tolist(), rel=1e-4)
    assert schedule.initial_scale == pytest.approx(float(scheduler.init_noise_sigma), rel=1e-4)


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_every_allowed_number_of_steps_gives_falling_timesteps_in_range(spacing):
    for steps in range(1, 151):
        timesteps = make_schedule(steps, spacing).timesteps
        assert len(timesteps) == steps
        assert timesteps[-1] >= 0
        assert timesteps[0] <= 999
        assert all(a > b for a, b in pairwise(timesteps))


def test_an_unknown_spacing_is_refused():
    with pytest.raises(ValueError, match="linspace"):
        make_schedule(10, "linspace")


def test_the_first_training_sigma_by_hand():
    """beta_0 = 0.00085, so abar_0 = 0.99915 and sigma_0 = sqrt(0.00085 / 0.99915)."""
    assert training_sigmas()[0] == pytest.approx((0.00085 / 0.99915) ** 0.5, rel=1e-12)
    assert np.all(np.diff(training_sigmas()) > 0)


def test_an_ancestral_step_by_hand():
    """From 2 to 1: up^2 = 1 * (4 - 1) / 4 = 3/4, down^2 = 1 - 3/4 = 1/4."""
    assert ancestral_split(2.0, 1.0, 1.0) == pytest.approx((0.5, 0.75**0.5))
    assert ancestral_split(2.0, 1.0, 0.0) == (1.0, 0.0)
    assert ancestral_split(2.0, 0.0, 1.0) == (0.0, 0.0)


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 4, 28])
def test_euler_ancestral_equals_diffusers_with_the_same_noise(monkeypatch, steps, spacing):
    scheduler = their_schedule(reference.EulerAncestralDiscreteScheduler, steps, spacing)
    noises = iter(range(steps))
    monkeypatch.setattr(reference, "randn_tensor", lambda *a, **k: unit_noise(next(noises)))
    x = torch.from_numpy(gaussian(1, "initial", 0, SHAPE))
    mine = ours("euler_a", with_their_sigmas(make_schedule(steps, spacing), scheduler), x)
    torch.testing.assert_close(mine, theirs(scheduler, x), atol=1e-5, rtol=1e-5)


def test_euler_equals_diffusers():
    scheduler = their_schedule(EulerDiscreteScheduler, 12, "trailing")
    x = torch.from_numpy(gaussian(1, "initial", 0, SHAPE))
    mine = ours("euler", with_their_sigmas(make_schedule(12, "trailing"), scheduler), x)
    torch.testing.assert_close(mine, theirs(scheduler, x), atol=1e-5, rtol=1e-5)


def gaussian_data(std, sigmas):
    """The exact denoiser for data that is itself normal with this standard deviation."""
    return lambda x, i: x * std**2 / (std**2 + sigmas[i] ** 2)


def test_euler_converges_to_the_exact_solution_at_first_order():
    """For normal data the ODE is solved by x(0) = x(sigma) * std / sqrt(std^2 + sigma^2)."""
    x, std = torch.ones(1, dtype=torch.float64), 0.5
    exact = 3.0**2
    errors = []
    for steps in (200, 400):
        sigmas = [3.0 * (1 - i / steps) for i in range(steps + 1)]
        end = sample_euler(gaussian_data(std, sigmas), x, sigmas, unit_noise, eta=0.0)
        errors.append(float(end) - std / (std**2 + exact) ** 0.5)
    assert abs(errors[1]) < 1e-2
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_ancestral_sampling_keeps_the_variance_of_the_data():
    std, count = 0.5, 40_000
    sigmas = make_schedule(150, "trailing").sigmas
    x = torch.from_numpy(gaussian(1, "initial", 0, (count,))) * sigmas[0]

    def noise(step):
        return torch.from_numpy(gaussian(1, "ancestral", step, (count,)))

    end = sample_euler(gaussian_data(std, sigmas), x, sigmas, noise, eta=1.0)
    assert float(end.std()) == pytest.approx(std, rel=0.05)


def test_noise_is_not_asked_for_when_none_is_added():
    def refuse(step):
        raise AssertionError("noise was drawn")

    sigmas = (2.0, 1.0, 0.0)
    sample_euler(gaussian_data(1, sigmas), torch.ones(1), sigmas, refuse, eta=0.0)
    asked = []
    sample_euler(gaussian_data(1, sigmas), torch.ones(1), sigmas, lambda i: asked.append(i) or torch.zeros(1), eta=1.0)
    assert asked == [0]
