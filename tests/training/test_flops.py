"""The specification's table of SDXL's work and size (training.md, section 5), counted again without its weights."""

from typing import Any

import pytest

from training.flops import peak_of, text_flops, unet_flops, vae_flops
from training.modules import parameters
from training.sdxl import sdxl

# side in pixels: TFLOP of the U-Net forward, forward and backward, and of the autoencoder's encoding
TABLE = {
    384: (0.905, 2.663, 0.620),
    512: (1.589, 4.714, 1.117),
    1024: (6.761, 20.231, 4.879),
    1536: (17.261, 51.730, 12.524),
}
TERA = 1e12
LAST_DIGIT = 0.0006


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return sdxl()


def test_the_real_sdxl_has_so_many_parameters(parts: dict[str, Any]) -> None:
    assert {name: parameters(part) for name, part in parts.items()} == {
        "unet": 2_567_463_684,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
        "vae": 83_653_863,
    }


@pytest.mark.parametrize("side", TABLE)
def test_work_is_that_of_the_specification(side: int, parts: dict[str, Any]) -> None:
    forward, both, encoding = TABLE[side]
    cells = side // 8
    assert unet_flops(parts["unet"], cells, cells, 77, backward=False) / TERA == pytest.approx(forward, abs=LAST_DIGIT)
    assert unet_flops(parts["unet"], cells, cells, 77, backward=True) / TERA == pytest.approx(both, abs=LAST_DIGIT)
    assert vae_flops(parts["vae"], side, side) / TERA == pytest.approx(encoding, abs=LAST_DIGIT)


def test_beside_a_lora_the_weights_own_gradients_fall_away(parts: dict[str, Any]) -> None:
    """The backward pass has two products for each with a weight, one of them the weight's own gradient.

    So what is spared is the forward pass but for attention's own products, 4 N M C of N queries, M keys, C channels: at
    1024 x 1024 ten of SDXL's layers have 4,096 tokens of 640 channels, sixty have 1,024 of 1,280.
    """
    layers = ((10, 4096, 640), (60, 1024, 1280))
    attention = sum(4 * count * n * m * channels for count, n, channels in layers for m in (n, 77))
    sizes = (parts["unet"], 128, 128, 77)
    forward, both = (unet_flops(*sizes, backward=backward) for backward in (False, True))
    spared = both - unet_flops(*sizes, backward=True, frozen=True)
    assert spared == pytest.approx(forward - attention, rel=0.02)
    encoder, attention = parts["text_encoder"], 4 * 12 * 77 * 77 * 768
    forward, both = (text_flops(encoder, backward=backward) for backward in (False, True))
    assert both - text_flops(encoder, backward=True, frozen=True) == pytest.approx(forward - attention, rel=0.02)


def test_long_captions_cost_little_more(parts: dict[str, Any]) -> None:
    assert unet_flops(parts["unet"], 128, 128, 227, backward=True) / TERA == pytest.approx(20.624, abs=LAST_DIGIT)


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4090", 165),
        ("AMD EPYC 7B13", None),
    ],
)
def test_peak_goes_by_the_devices_name(device: str, peak: float | None) -> None:
    assert peak_of(device) == peak
