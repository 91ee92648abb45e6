import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from generation.errors import ImageError
from generation.imageio import archive_png, blind_png, pixel_sha256, read_archive
from generation.renderer import ImageRequest


@pytest.fixture(scope="module")
def rendered(renderer, recipe):
    return next(renderer.render(recipe, [ImageRequest("1girl, Größe, 青い髪", 5)]))


def chunks(data):
    """Names of a PNG's chunks, by its specification: 4 bytes length, 4 bytes name, data, 4 bytes checksum."""
    names, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        names.append(data[at + 4 : at + 8].decode())
        at += length + 12
    return names


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def test_the_archive_keeps_pixels_and_manifest(rendered):
    image, manifest = read_archive(archive_png(rendered.image, rendered.manifest))
    assert image.tobytes() == rendered.image.tobytes()
    assert manifest == rendered.manifest
    assert manifest["pixel_sha256"] == pixel_sha256(image)


@pytest.mark.parametrize("scale", [1, 4])
def test_a_blind_copy_holds_pixels_and_nothing_else(rendered, scale):
    data = blind_png(rendered.image, scale)
    assert set(chunks(data)) == {"IHDR", "IDAT", "IEND"}
    secrets = [
        rendered.manifest["checkpoint"]["sha256"],
        rendered.manifest["checkpoint"]["sha256"][:10],
        rendered.manifest["checkpoint"]["run"],
        rendered.manifest["pixel_sha256"],
        rendered.manifest["recipe_sha256"],
        "1girl",
        "epoch",
    ]
    assert not [secret for secret in secrets if secret.encode() in data]


def test_a_blind_copy_of_a_loaded_archive_drops_what_the_archive_carried(rendered):
    archive = Image.open(io.BytesIO(archive_png(rendered.image, rendered.manifest)))
    archive.load()
    archive.info |= {"dpi": (72, 72), "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    archive.getexif()[0x010E] = "tiny epoch 0"
    assert blind_png(archive) == blind_png(rendered.image)


def test_a_blind_copy_in_its_own_size_has_the_same_pixels(rendered):
    assert decoded(blind_png(rendered.image)).tobytes() == rendered.image.tobytes()


def test_nearest_repeats_each_pixel(rendered):
    large = np.asarray(decoded(blind_png(rendered.image, 3, "nearest")))
    assert np.array_equal(large, np.asarray(rendered.image).repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("resample", ["lanczos", "bicubic"])
def test_smooth_enlargement_turns_an_even_slope_into_an_even_slope(resample):
    """Pixel centres of a slope of 8 a pixel, 4 times as large: a slope of 2 a pixel that starts 3/8 of a step lower."""
    slope = Image.fromarray(np.tile(np.arange(16, 240, 8, dtype=np.uint8)[:, None], (1, 28))).convert("RGB")
    large = np.asarray(decoded(blind_png(slope, 4, resample)), dtype=float)
    assert large.shape == (112, 112, 3)
    wanted = 16 - 3 + 2 * np.arange(112)
    assert np.abs(large[16:-16, 50, 0] - wanted[16:-16]).max() <= 1


@pytest.mark.parametrize("arguments", [(0,), (17,), (1.5,), (True,), (2, "sinc")])
def test_an_impossible_enlargement_is_refused(rendered, arguments):
    with pytest.raises(ValueError, match=r"scale|resample"):
        blind_png(rendered.image, *arguments)


def test_the_pixel_hash_tells_sizes_and_pixels_apart():
    wide, tall = Image.new("RGB", (4, 2)), Image.new("RGB", (2, 4))
    assert pixel_sha256(wide) != pixel_sha256(tall)
    assert pixel_sha256(wide) == pixel_sha256(Image.new("L", (4, 2)))


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: b"GIF89a" + d, lambda d: d[: len(d) // 2]])
def test_a_damaged_file_is_refused(rendered, damage):
    with pytest.raises(ImageError):
        read_archive(damage(archive_png(rendered.image, rendered.manifest)))


def test_a_png_without_manifest_is_refused(rendered):
    with pytest.raises(ImageError, match="carries no manifest"):
        read_archive(blind_png(rendered.image))
