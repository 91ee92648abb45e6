from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete as reference
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from generation.checkpoint import SCHEDULE
from generation.noise import gaussian
from generation.samplers import (
    SAMPLERS,
    ancestral_split,
    make_schedule,
    sample_dpmpp_2m,
    sample_euler,
    training_sigmas,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (2, 4, 8, 8)


def their_schedule(kind, steps, spacing):
    scheduler = kind(**SCHEDULE, timestep_spacing=spacing, steps_offset=1)
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


@pytest.mark.parametrize("steps", [2, 12, 28, 150])
def test_the_karras_schedule_is_that_of_diffusers(steps):
    scheduler = EulerDiscreteScheduler(**SCHEDULE, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    schedule = make_schedule(steps, "karras")
    assert list(schedule.sigmas) == pytest.approx(scheduler.sigmas.tolist(), rel=1e-4)
    assert list(schedule.timesteps) == pytest.approx(scheduler.timesteps.tolist(), abs=0.01)
    assert schedule.initial_scale == schedule.sigmas[0] == pytest.approx(14.6146, rel=1e-4)


def test_the_middle_of_three_karras_levels_by_hand():
    """Halfway between the seventh roots: ((14.61464^(1/7) + 0.0291672^(1/7)) / 2) ** 7."""
    assert make_schedule(3, "karras").sigmas[1] == pytest.approx(1.2741, rel=1e-3)


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_zero_terminal_snr_is_that_of_diffusers(spacing):
    scheduler = EulerDiscreteScheduler(
        **SCHEDULE, rescale_betas_zero_snr=True, timestep_spacing=spacing, steps_offset=1
    )
    scheduler.set_timesteps(12)
    schedule = make_schedule(12, spacing, zero_snr=True)
    assert list(schedule.sigmas) == pytest.approx(scheduler.sigmas.tolist(), rel=1e-3)
    assert training_sigmas(zero_snr=True)[-1] == pytest.approx((2**24 - 1) ** 0.5)


def test_the_last_steps_of_a_schedule_are_those_of_its_strength():
    whole = make_schedule(20, "trailing")
    part = whole.last(0.4)
    assert part.timesteps == whole.timesteps[-8:]
    assert part.sigmas == whole.sigmas[-9:]
    assert part.initial_scale == whole.sigmas[12]
    assert len(whole.last(0.01).timesteps) == 1
    assert whole.last(1).timesteps == whole.timesteps
    for strength in (0, 1.01, -1):
        with pytest.raises(ValueError, match="strength"):
            whole.last(strength)


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


@pytest.mark.parametrize("steps", [1, 2, 12, 28])
def test_dpmpp_2m_equals_diffusers(steps):
    """Diffusers works on ``x / sqrt(sigma^2 + 1)``; both end at sigma 0, where the two states are one."""
    scheduler = DPMSolverMultistepScheduler(**SCHEDULE, use_karras_sigmas=True, final_sigmas_type="zero")
    scheduler.set_timesteps(steps)
    x = torch.from_numpy(gaussian(1, "initial", 0, SHAPE))
    schedule = make_schedule(steps, "karras")
    schedule = replace(schedule, sigmas=tuple(scheduler.sigmas.tolist()), timesteps=tuple(scheduler.timesteps.tolist()))
    mine = ours("dpmpp_2m", schedule, x)
    state = x * schedule.initial_scale / (schedule.sigmas[0] ** 2 + 1) ** 0.5
    for t in scheduler.timesteps:
        state = scheduler.step(epsilon(state, t), t, state).prev_sample
    torch.testing.assert_close(mine, state, atol=1e-4, rtol=1e-4)


def test_dpmpp_2m_steps_by_hand():
    """Levels 4, 2, 1, 0 with estimates 8, 6, 5 of x0, from x = 10: h is log 2 in both steps.

    10/2 + 8/2 = 9; then D = 6 + (6 - 8)/2 = 5 and 9/2 + 5/2 = 7; the step to 0 returns the last estimate.
    """
    states, estimates = [], iter((8.0, 6.0, 5.0))

    def denoiser(x, i):
        states.append(float(x))
        return torch.tensor(next(estimates), dtype=torch.float64)

    end = sample_dpmpp_2m(denoiser, torch.tensor(10.0, dtype=torch.float64), (4.0, 2.0, 1.0, 0.0))
    assert states == pytest.approx([10, 9, 7])
    assert float(end) == 5


def test_dpmpp_2m_converges_at_second_order():
    """Halving the steps in log sigma quarters the error, on data where the ODE is solved by hand."""
    x, std, low, high = torch.ones(1, dtype=torch.float64), 0.5, 0.1, 3.0
    exact = ((std**2 + low**2) / (std**2 + high**2)) ** 0.5
    errors = []
    for steps in (40, 80):
        sigmas = [high * (low / high) ** (i / steps) for i in range(steps + 1)]
        errors.append(float(sample_dpmpp_2m(gaussian_data(std, sigmas), x, sigmas)) - exact)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


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
