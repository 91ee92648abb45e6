import math

import pytest
import torch

from training.losses import opponent, psnr, reconstruction_loss


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
