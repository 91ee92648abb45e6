"""The specification's table of SDXL's work and size (training.md, section 5), counted again without its weights."""

from typing import Any

import pytest

from training.flops import peak_of, unet_flops, vae_flops
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
