"""Image files of every kind become RGB on white in a defined way, or an error names them."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import CCIPEncoder, ImageError, Preprocess
from rating.ccip.pictures import decode, picture_of
from tests.rating.ccip import golden
from tests.rating.ccip.conftest import noise_image

RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def shown(data: bytes) -> Image.Image:
    return decode(data, "the picture")


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header says so, with a pixel's worth of data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0\0\0\0")), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def golden_deviation(preprocess: Preprocess) -> float:
    made = preprocess(decode(golden.PICTURE, "golden"))
    assert made.shape == (3, 384, 384)
    assert made.dtype == np.float32
    return float(np.abs(made[:, golden.ROWS, golden.COLUMNS] - np.load(golden.ARRAY)).max())


def test_pixels_are_the_golden_array() -> None:
    np.testing.assert_array_equal(golden.array(), np.load(golden.ARRAY))
    assert golden_deviation(Preprocess()) <= 1e-6


def test_other_constants_fail_the_golden_array() -> None:
    assert golden_deviation(Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))) > 0.1


def test_pixels_are_those_of_imgutils_to_the_bit() -> None:
    image = noise_image(1)
    data = np.array(image.resize((384, 384), Image.Resampling.BILINEAR)).transpose(2, 0, 1).astype(np.float32) / 255.0
    mean, std = (np.array(values)[:, None, None] for values in (Preprocess.mean, Preprocess.std))
    np.testing.assert_array_equal(Preprocess()(image), ((data - mean) / std).astype(np.float32))


def test_the_version_changes_with_each_constant() -> None:
    own = Preprocess()
    others = [Preprocess(size=224), Preprocess(mean=(0.5, 0.5, 0.5)), Preprocess(std=(0.5, 0.5, 0.5))]
    assert len({own.version, *(other.version for other in others)}) == 4
    assert Preprocess().version == own.version


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (255, 0, 0, 0)), ("LA", (10, 0)), ("La", (0, 0))])
def test_what_is_transparent_lies_on_white(mode: str, colour: tuple[int, ...]) -> None:
    image = Image.new(mode, (4, 4), colour)
    assert decode(image, "the picture").getpixel((1, 1)) == WHITE


def test_half_transparent_red_on_white_is_pink() -> None:
    assert shown(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128)))).getpixel((0, 0)) == (255, 127, 127)


def test_a_transparent_palette_entry_lies_on_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((1, 1), 1)
    made = shown(encoded(image, transparency=0))
    assert (made.getpixel((0, 0)), made.getpixel((1, 1))) == (WHITE, RED)


def test_a_transparent_colour_of_an_rgb_png_lies_on_white() -> None:
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    image.putpixel((1, 1), BLUE)
    made = shown(encoded(image, transparency=(1, 2, 3)))
    assert (made.getpixel((0, 0)), made.getpixel((1, 1))) == (WHITE, BLUE)


def test_an_exif_orientation_is_followed() -> None:
    image = Image.new("RGB", (60, 30), RED)
    image.paste(BLUE, (0, 0, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter
    made = shown(encoded(image, "JPEG", exif=exif, quality=100, subsampling=0))
    assert made.size == (30, 60)
    assert made.getpixel((15, 5))[2] > 250
    assert made.getpixel((15, 55))[0] > 250


def test_cmyk_becomes_rgb() -> None:
    made = shown(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(np.array(made, int) - RED).max() <= 3


def test_sixteen_bits_keep_their_upper_eight() -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    made = np.array(shown(encoded(Image.fromarray(levels))))
    np.testing.assert_array_equal(made[0, :, 0], [0, 1, 1, 128, 255])
    assert (made[..., 0] == made[..., 2]).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    data = encoded(
        frames[0],
        kind,
        save_all=True,
        append_images=frames[1:],
        duration=100,
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
    assert shown(data).getpixel((4, 4)) == RED


def test_grey_and_two_levels_become_rgb() -> None:
    assert shown(encoded(Image.new("L", (4, 4), 7))).getpixel((0, 0)) == (7, 7, 7)
    assert shown(encoded(Image.new("1", (4, 4), 1))).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize("side", [10_000, 20_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_hundred_megapixels_are_refused_before_they_are_decoded(side: int, tmp_path: Path) -> None:
    (tmp_path / "vast.png").write_bytes(png_of(side, side))
    with pytest.raises(ImageError, match=r"vast\.png .* megapixels; scale it down"):
        picture_of(tmp_path / "vast.png").rgb()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_file_is_named(kind: str, tmp_path: Path) -> None:
    data = encoded(noise_image(0, (200, 200)), kind)
    (tmp_path / "half.img").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"half\.img is"):
        picture_of(tmp_path / "half.img").rgb()


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(data)
    with pytest.raises(ImageError, match=r"text\.png is"):
        picture_of(tmp_path / "text.png").rgb()


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(ImageError, match=str(path)):
            picture_of(path)


def test_thirty_two_bits_a_channel_are_refused() -> None:
    with pytest.raises(ImageError, match="32 bits"):
        shown(encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


def test_the_unreadable_are_told_and_the_others_embedded(encoder: CCIPEncoder, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"hello")
    first, last = noise_image(0), noise_image(1)
    features, failed = encoder.embed_readable([first, tmp_path / "text.png", tmp_path / "gone.png", last])
    np.testing.assert_array_equal(features.vectors, encoder.embed([first, last]).vectors)
    assert sorted(failed) == [1, 2]
    with pytest.raises(ImageError, match=r"text\.png is no image"):
        encoder.embed([first, tmp_path / "text.png"])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on its way
def test_damaged_bytes_give_an_image_or_an_image_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(encoded(noise_image(seed), ("PNG", "JPEG", "WEBP", "GIF", "TIFF")[seed % 5]))
    for at in rng.integers(len(data), size=8):
        data[at] = rng.integers(256)
    with contextlib.suppress(ImageError):
        assert shown(bytes(data)).mode == "RGB"
