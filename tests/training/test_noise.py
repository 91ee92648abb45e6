import pytest
import torch

from training.noise import add_noise, alphas_cumprod, generator


def noise_in(noisy: torch.Tensor, latents: torch.Tensor, t: int) -> torch.Tensor:
    kept = alphas_cumprod()[t]
    return ((noisy - kept.sqrt() * latents) / (1 - kept).sqrt()).float()


def test_noisy_latents_follow_the_formula() -> None:
    latents = torch.randn(2, 4, 3, 3, generator=generator(1, "x"))
    noised = add_noise(latents, torch.tensor([0, 700]), generator(1, "noise"))
    kept = alphas_cumprod()[700]
    expected = kept.sqrt() * latents[1] + (1 - kept).sqrt() * noised.target[1]
    assert torch.allclose(noised.noisy[1], expected.float(), atol=1e-6)


@pytest.mark.parametrize("bound", [0.2, 0.4])
def test_perturbation_is_in_the_input_and_not_in_the_target(bound: float) -> None:
    """Regressing the target on the noise carried gives 1 / (1 + E[g^2]); perturbing the target too would give 1."""
    latents = torch.zeros(400, 4, 16, 16)
    noised = add_noise(latents, torch.full((400,), 500), generator(0, "n"), perturbation=bound)
    carried = noise_in(noised.noisy, latents, 500)
    slope = (carried * noised.target).sum() / carried.square().sum()
    assert slope.item() == pytest.approx(1 / (1 + bound**2 / 3), abs=2e-3)


def test_offset_is_in_both_input_and_target() -> None:
    latents = torch.zeros(500, 4, 8, 8)
    noised = add_noise(latents, torch.full((500,), 300), generator(0, "n"), offset=0.5)
    assert torch.allclose(noise_in(noised.noisy, latents, 300), noised.target, atol=1e-5)
    means = noised.target.mean(dim=(2, 3))
    assert means.var().item() == pytest.approx(0.25 + 1 / 64, rel=0.1)


def test_streams_repeat_and_differ() -> None:
    def draw(*path: int | str) -> list[float]:
        return torch.randn(3, generator=generator(0, *path)).tolist()

    assert draw("a", 1) == draw("a", 1)
    assert draw("a", 1) != draw("a", 2) != draw("b", 1)
