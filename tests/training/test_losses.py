import math

import pytest
import torch

from training.losses import epsilon_loss, opponent, psnr, reconstruction_loss, snr, weights
from training.noise import alphas_cumprod

# Golden table of the specification (training.md, section 2), measured there in float64.
GOLDEN = {  # t: (SNR, debias, min-SNR with gamma 5)
    0: (1175.4706, 0.031623, 0.004254),
    100: (8.45389, 0.343931, 0.591443),
    500: (0.381850, 1.618279, 1.0),
    999: (0.00468192, 14.614641, 1.0),
}


@pytest.mark.parametrize("t", GOLDEN)
def test_snr_and_weights_match_the_golden_table(t: int) -> None:
    ratio = snr(alphas_cumprod(), torch.tensor([t]))
    expected_snr, debias, min_snr = GOLDEN[t]
    assert ratio.item() == pytest.approx(expected_snr, rel=1e-5)
    assert weights("debias", ratio).item() == pytest.approx(debias, rel=2e-5)
    assert weights("min_snr", ratio).item() == pytest.approx(min_snr, rel=2e-4)
    assert weights("none", ratio).item() == 1


def test_mean_debias_weight_over_all_timesteps_is_about_three() -> None:
    ratio = snr(alphas_cumprod(), torch.arange(1000))
    assert weights("debias", ratio).mean().item() == pytest.approx(3.021311, rel=1e-6)


def test_end_of_the_schedule_is_sdxls() -> None:
    assert alphas_cumprod()[-1].item() == pytest.approx(0.004660098513, rel=1e-9)


def test_unknown_weighting_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown loss weighting 'p2'"):
        weights("p2", torch.ones(1))


def test_each_sample_is_averaged_before_it_is_weighted() -> None:
    output = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    loss, raw = epsilon_loss(output, torch.zeros(2, 1, 2, 2), torch.tensor([4.0, 2.0]))
    assert loss.item() == (4 * 1 + 2 * 9) / 2
    assert raw.item() == (1 + 9) / 2


def test_opponent_colours_of_pure_red_by_hand() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert opponent(red, 2.0).flatten().tolist() == pytest.approx([1 / 3, 1.0, 0.5])


def test_reconstruction_loss_by_hand() -> None:
    output = torch.zeros(1, 1, 4, 4)
    output[..., 0, 0] = 1.0
    # One pixel of 16 is off by 1, 1 of 12 differences each way; the only 4x4 mean is off by 1/16.
    expected = 1 / 16 + 3.0 * (1 / 12 + 1 / 12) / 2 + 2.0 / 16
    found = reconstruction_loss(output, torch.zeros(1, 1, 4, 4), gradient_weight=3.0, coarse_weight=2.0)
    assert found.item() == pytest.approx(expected)


def test_psnr_of_a_tenth_of_full_scale_is_twenty_decibels() -> None:
    target = torch.zeros(1, 3, 4, 4)
    assert psnr(target + 0.2, target) == pytest.approx(20.0, abs=1e-4)
    assert math.isinf(psnr(target, target))
