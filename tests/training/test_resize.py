"""Resizing: never above the limit, the ratio kept to a pixel, nothing touched that is small enough."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training.prune import MEGAPIXEL
from training.resize import (
    BadImage,
    ResizeConfig,
    image_size,
    nearest_factor,
    on_white,
    prepare_image,
    shrink,
    target_size,
)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_the_target_is_within_the_limit_and_a_pixel_of_the_ratio(width, height):
    limit = 4 * MEGAPIXEL
    new = target_size(width, height, limit)
    if width * height <= limit:
        assert new == (width, height)
        return
    assert new[0] * new[1] <= limit
    if max(width, height) <= 10 * min(width, height):  # more elongated ones are pruned
        assert abs(new[0] - new[1] * width / height) <= 1
        assert abs(new[1] - new[0] * height / width) <= 1
        assert new[0] * new[1] >= 0.98 * limit


@pytest.mark.parametrize(
    ("size", "target", "factor"),
    [((2048, 2048), (2047, 2047), 1), ((4000, 4000), (1001, 1001), 1), ((4000, 4000), (1000, 1000), 2),
     ((8192, 5120), (2590, 1619), 1), ((9000, 6000), (1000, 1000), 3), ((12000, 12000), (1000, 1000), 6)],
)  # fmt: skip
def test_the_nearest_factor_leaves_twice_the_target(size, target, factor):
    assert nearest_factor(size, target) == factor
    assert all(side // factor >= 2 * goal for side, goal in zip(size, target, strict=True)) or factor == 1


def test_two_steps_are_every_nth_pixel_and_then_lanczos():
    image = noise(403, 401)
    found = shrink(image, (50, 50))
    by_hand = Image.fromarray(np.asarray(image)[:400, :400][2::4, 2::4]).resize((50, 50), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(found), np.asarray(by_hand))


def test_a_coin_chooses_one_filter_for_a_picture():
    data = encoded(noise(64, 64))
    config = ResizeConfig(max_pixels=32 * 32, mix="coin")
    image = Image.open(io.BytesIO(data))
    both = {
        bytes(image.resize((32, 32), kind).tobytes()) for kind in (Image.Resampling.NEAREST, Image.Resampling.LANCZOS)
    }
    found = {Image.open(io.BytesIO(prepare_image(data, number, config).data)).tobytes() for number in range(20)}
    assert found == both
    assert prepare_image(data, 3, config) == prepare_image(data, 3, config)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_small_enough_file_keeps_its_bytes(kind):
    data = encoded(noise(40, 30), kind)
    found = prepare_image(data, 1, ResizeConfig(max_pixels=1200))
    assert found.data is data
    assert (found.width, found.height) == (40, 30)


@pytest.mark.parametrize(
    ("kind", "encoding", "expected"),
    [("PNG", "same", "PNG"), ("JPEG", "same", "JPEG"), ("WEBP", "same", "PNG"), ("PNG", "webp", "WEBP"),
     ("PNG", "jpeg", "JPEG")],
)  # fmt: skip
def test_a_large_file_is_written_anew(kind, encoding, expected):
    found = prepare_image(encoded(noise(100, 50), kind), 1, ResizeConfig(max_pixels=800, encoding=encoding))
    with Image.open(io.BytesIO(found.data)) as image:
        assert image.format == expected
        assert image.size == (found.width, found.height) == (40, 20)
    assert found.extension == {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[expected]


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert on_white(image).getpixel((0, 0)) == (255, 255, 255)


def test_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(noise(60, 30), "JPEG", exif=exif)
    assert image_size(data) == (30, 60)
    assert (prepare_image(data, 1, ResizeConfig(max_pixels=800)).width) == 20


def test_damaged_exif_data_costs_no_picture():
    """A resolution that claims to be of no type: rewriting the EXIF block, as Pillow does to turn a picture, fails."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 5.0
    data = bytearray(encoded(noise(60, 30), "JPEG", exif=exif))
    data[data.index(b"Exif") + 29] = 0
    found = prepare_image(bytes(data), 1, ResizeConfig(max_pixels=800))
    assert (found.width, found.height) == (20, 40)


def test_whatever_a_decoder_raises_is_told_without_an_address():
    """An AVIF file whose picture is of no kind: RuntimeError; of a file that is nothing the error has an address."""
    data = encoded(noise(50, 50), "AVIF").replace(b"av01", b"xxxx", 1)
    with pytest.raises(BadImage, match=r"readable image|decoded"):
        image_size(data)
    with pytest.raises(BadImage, match=r"^is no readable image: of no known kind$"):
        image_size(b"not an image")


@pytest.mark.parametrize("damage", [b"", b"not an image", encoded(noise(50, 50))[:-200], encoded(noise(50, 50))[:20]])
def test_damaged_files_are_told(damage):
    with pytest.raises(BadImage):
        prepare_image(damage, 1, ResizeConfig())


@pytest.mark.parametrize("change", [{"mix": "three"}, {"encoding": "gif"}, {"quality": 0}, {"max_pixels": 0}])
def test_wrong_values_are_refused(change):
    with pytest.raises(ValueError, match="must be"):
        ResizeConfig(**change)
