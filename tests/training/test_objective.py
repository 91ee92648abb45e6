"""Weights against the specification's table and a second implementation, noise by regression, pads by exact zeros."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generation.conditioning import encode_text
from generation.loading import load_parts
from tests.training.conftest import SMALL, untrained
from training.batch import Batch
from training.denoiser import Denoiser
from training.noise import alphas_cumprod
from training.objective import Objective, weights
from training.train_config import ObjectiveConfig

PLAIN = ObjectiveConfig(input_perturbation=0.0)
# Golden table of the specification (training.md, section 2), measured there in float64, to the digits given there:
# t: SNR, debias, min-SNR with gamma 5, debias of v-prediction plain and by root.
GOLDEN = {
    0: ("1175.47", "0.0316228", "0.00425362", "0.000999001", "0.031607"),
    100: ("8.45389", "0.343931", "0.591443", "0.105777", "0.325233"),
    500: ("0.38185", "1.618279", "1", "0.723667", "0.850686"),
    999: ("0.00468192", "14.614641", "1", "0.99534", "0.997667"),
}


def second_opinion(t: int) -> float:
    """SNR of timestep ``t`` in plain Python: abar as a product of 1 - beta, beta scaled-linear."""
    kept = 1.0
    for step in range(t + 1):
        kept *= 1 - (0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * step / 999) ** 2
    return kept / (1 - kept)


@pytest.mark.parametrize("t", GOLDEN)
def test_weights_match_the_golden_table_and_a_second_implementation(t: int) -> None:
    alphas = alphas_cumprod()
    snr = (alphas / (1 - alphas))[t : t + 1]
    v = replace(PLAIN, prediction="v_prediction")
    found = [
        snr,
        weights(PLAIN, snr),
        weights(replace(PLAIN, weighting="min_snr"), snr),
        weights(replace(v, v_debias="plain"), snr),
        weights(v, snr),
    ]
    exact = second_opinion(t)
    clipped = min(exact, 1000)
    expected = [exact, clipped**-0.5, min(exact, 5) / exact, 1 / (clipped + 1), (clipped + 1) ** -0.5]
    for value, golden, second in zip(found, GOLDEN[t], expected, strict=True):
        assert value.item() == pytest.approx(second, rel=1e-9)
        assert value.item() == pytest.approx(float(golden), rel=1e-5)
    assert weights(replace(PLAIN, weighting="none"), snr).item() == 1
    assert weights(replace(v, weighting="min_snr"), snr).item() == pytest.approx(min(exact, 5) / (exact + 1))


def test_without_a_clip_the_first_timestep_weighs_as_the_table_says() -> None:
    snr = torch.tensor([second_opinion(0)], dtype=torch.float64)
    assert weights(replace(PLAIN, snr_clip=2000.0), snr).item() == pytest.approx(0.029167, rel=2e-5)


def test_mean_and_spread_of_the_debias_weight_and_the_end_of_the_schedule() -> None:
    alphas = alphas_cumprod()
    found = weights(PLAIN, alphas / (1 - alphas))
    assert found.mean().item() == pytest.approx(3.021311, rel=1e-6)
    assert (found.max() / found.min()).item() == pytest.approx(462, abs=0.5)
    assert alphas[0].item() == pytest.approx(0.99915, rel=1e-9)
    assert alphas[-1].item() == pytest.approx(0.004660098513, rel=1e-9)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("weighting", ["debias", "min_snr", "none"])
def test_all_weights_stay_finite_with_zero_terminal_snr(prediction: str, weighting: str) -> None:
    alphas = alphas_cumprod(zero_snr=True)
    found = weights(replace(PLAIN, prediction=prediction, weighting=weighting), alphas / (1 - alphas))
    assert bool(found.isfinite().all())
    assert found.max().item() <= 0.00468**-0.5


def test_the_rescaled_schedule_ends_in_noise_and_starts_where_it_did() -> None:
    alphas = alphas_cumprod(zero_snr=True)
    assert alphas[-1].item() == 0
    assert alphas[0].item() == pytest.approx(0.99915, rel=1e-9)
    # arXiv:2305.08891, algorithm 1, by hand for the middle.
    roots = alphas_cumprod().sqrt()
    by_hand = (roots[500] - roots[999]) * roots[0] / (roots[0] - roots[999])
    assert alphas[500].item() == pytest.approx(by_hand.item() ** 2)


def carried(objective: Objective, noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """The noise that is in ``noisy`` where the latents are zero."""
    return noisy / (1 - objective._alphas[timesteps]).sqrt()[:, None, None, None]


@pytest.mark.parametrize("gamma", [0.05, 0.1, 0.2])
def test_the_target_regressed_on_the_carried_noise_has_the_slope_of_the_paper(gamma: float) -> None:
    """Constant gamma: 1/(1 + gamma^2), 0.99010 at 0.1; with the perturbation in the target, too, it would be 1."""
    objective = Objective(replace(PLAIN, input_perturbation=gamma, perturbation="constant"), 0)
    noised = objective.noised(torch.zeros(64, 4, 128, 128, dtype=torch.float64), range(64), 0)
    inside = carried(objective, noised.noisy, noised.timesteps)
    slope = (inside * noised.target).sum() / inside.square().sum()
    assert slope.item() == pytest.approx(1 / (1 + gamma**2), abs=1e-3)


def strengths(config: ObjectiveConfig, step: int = 0) -> torch.Tensor:
    """How strongly each of 400 samples was perturbed."""
    objective = Objective(config, 0)
    noised = objective.noised(torch.zeros(400, 4, 64, 64), range(400), step)
    difference = carried(objective, noised.noisy, noised.timesteps) - noised.target
    return difference.square().mean(dim=(1, 2, 3)).sqrt()


def test_strength_is_uniform_for_each_sample_once_for_a_batch_or_constant() -> None:
    each = strengths(replace(PLAIN, input_perturbation=0.1)).sort().values
    uniform = (torch.arange(400) + 0.5) / 400 * 0.1
    assert (each - uniform).abs().max().item() < 0.1 * 1.63 / 20 + 0.003  # Kolmogorov-Smirnov at 1 %, and the estimate
    batch = replace(PLAIN, input_perturbation=0.1, perturbation="batch")
    assert strengths(batch).std().item() < 1e-3
    assert abs(strengths(batch, 0).mean() - strengths(batch, 1).mean()) > 5e-3
    constant = strengths(replace(PLAIN, input_perturbation=0.1, perturbation="constant"))
    assert constant.mean().item() == pytest.approx(0.1, rel=1e-2)


def test_the_offset_is_in_input_and_target_and_the_perturbation_is_not() -> None:
    config = replace(PLAIN, noise_offset=0.5, input_perturbation=0.1)
    objective = Objective(config, 0)
    noised = objective.noised(torch.zeros(500, 4, 8, 8, dtype=torch.float64), range(500), 3)
    inside = carried(objective, noised.noisy, noised.timesteps)
    for part in (noised.target, inside):
        assert part.mean(dim=(2, 3)).var().item() == pytest.approx(0.25 + 1 / 64, rel=0.1)
    without = Objective(replace(config, input_perturbation=0.0), 0).noised(
        torch.zeros(500, 4, 8, 8, dtype=torch.float64), range(500), 3
    )
    assert torch.equal(without.target, noised.target)


def test_noise_depends_on_seed_step_and_place_and_not_on_how_a_batch_is_cut() -> None:
    latents = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    objective = Objective(ObjectiveConfig(noise_offset=0.1), 7)
    whole = objective.noised(latents, range(4), 5)
    parts = [objective.noised(latents[rows], places, 5) for rows, places in (([0], [0]), ([1, 2, 3], [1, 2, 3]))]
    for name in ("noisy", "timesteps", "target"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    for other in (Objective(objective.config, 8).noised(latents, range(4), 5), objective.noised(latents, range(4), 6)):
        assert not torch.equal(other.target, whole.target)


def test_noisy_latents_and_targets_follow_the_formulas() -> None:
    latents = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    eps = Objective(PLAIN, 0).noised(latents, range(2), 0)
    v = Objective(replace(PLAIN, prediction="v_prediction"), 0).noised(latents, range(2), 0)
    for row, t in enumerate(eps.timesteps.tolist()):
        kept = 1 / (1 + 1 / second_opinion(t))
        assert torch.allclose(eps.noisy[row], kept**0.5 * latents[row] + (1 - kept) ** 0.5 * eps.target[row])
        assert torch.allclose(v.target[row], kept**0.5 * eps.target[row] - (1 - kept) ** 0.5 * latents[row])
    assert torch.equal(v.noisy, eps.noisy)


def test_each_sample_is_averaged_before_it_is_weighted_and_both_losses_are_told() -> None:
    objective = Objective(PLAIN, 0)
    noised = objective.noised(torch.zeros(2, 1, 2, 2), range(2), 0)
    output = noised.target + torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    losses = objective.losses(output, noised)
    weight = [min(second_opinion(t), 1000) ** -0.5 for t in noised.timesteps.tolist()]
    assert losses.raw.tolist() == pytest.approx([1, 9])
    assert losses.weighted.tolist() == pytest.approx([1 * weight[0], 9 * weight[1]])


@pytest.fixture(scope="module")
def base_of_77(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose text encoders have CLIP's own number of positions."""
    return untrained(small_data, tmp_path_factory.mktemp("clip") / "base", replace(SMALL, text_positions=77))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("base", "pads_of_empty"), [("small_base", 46), ("base_of_77", 75)])
def test_pads_are_hidden_from_captions_and_empty_captions_alike(
    base: str, pads_of_empty: int, masked: bool, request: pytest.FixtureRequest
) -> None:
    """Other pad embeddings change nothing and get no gradient, exactly; without the mask they do.

    The empty caption of 77 positions is the paper's figure 16: 2 tokens and 75 of padding.
    """
    parts = load_parts(request.getfixturevalue(base))
    parts = replace(parts, info=replace(parts.info, pad_mask=masked))
    denoiser = Denoiser(parts)
    batch = Batch(
        torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)), ["1girl", ""],
        torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2), (1, 2), (0, 1), 2,
    )  # fmt: skip
    text = encode_text(parts, batch.captions)
    assert int(text.mask[1].sum()) == 2  # begin and end
    assert int((text.mask[1] == 0).sum()) == pads_of_empty
    pads = (text.mask == 0)[:, :, None]

    def answer(hidden: torch.Tensor) -> torch.Tensor:
        handle = parts.unet.register_forward_pre_hook(
            lambda _, inputs: (*inputs[:2], hidden, *inputs[3:]), with_kwargs=False
        )
        try:
            return denoiser(batch.latents, torch.tensor([500, 500]), batch)
        finally:
            handle.remove()

    hidden = text.hidden.detach().requires_grad_()
    first = answer(hidden)
    first.square().sum().backward()
    changed = answer(hidden.detach() + 10.0 * pads)
    moved = (changed - first).abs().amax(dim=(1, 2, 3))
    slope = (hidden.grad * pads).abs().amax(dim=(1, 2))
    if masked:
        assert moved.tolist() == [0, 0]
        assert slope.tolist() == [0, 0]
    else:
        assert moved.min() > 0
        assert slope.min() > 0


def test_what_a_caption_says_beyond_the_first_chunk_is_learned_from_where_there_are_two(small_base) -> None:
    parts = load_parts(small_base)
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
    same_start = ["hair, " * 40 + end for end in ("red eyes", "blue eyes")]
    batch = Batch(latents[:1].repeat(2, 1, 1, 1), same_start, sizes, (1, 2), (0, 1), 2)
    times = torch.tensor([500, 500])
    with torch.no_grad():
        one, two = (Denoiser(parts, chunks)(batch.latents, times, batch) for chunks in (1, 2))
    assert (one[0] - one[1]).abs().max() < 1e-6
    assert (two[0] - two[1]).abs().max() > 1e-4


def test_a_noise_offset_with_a_small_batch_is_cautioned_against() -> None:
    offset = ObjectiveConfig(noise_offset=0.05)
    assert "unsuitable for small batches, here below 128" in offset.cautions(127)[0]
    assert offset.cautions(128) == ObjectiveConfig().cautions(16) == []
