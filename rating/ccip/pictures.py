"""Image files of any kind as RGB on white, or an error that names the file (docs/ccip.md lists every case)."""

import hashlib
import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from rating.ccip.errors import ImageError

# 50 megapixels decoded are 150 MB; no illustration is judged better at more.
MOST_PIXELS = 50_000_000
SIXTEEN_BITS = {"I;16", "I;16B", "I;16L", "I;16N"}
DEEP = {"I", "F"}
ORIENTATION = 0x0112  # EXIF's
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Picture:
    """An image that was looked at but not decoded: `sha256` is of the file's bytes, or of an image's pixels."""

    name: str
    sha256: str
    source: "Path | str | bytes | Image.Image"

    def rgb(self) -> Image.Image:
        """Decode it. Raises ImageError."""
        return decode(self.source, self.name)


# A file by its path, its bytes, an image of Pillow's, or what `picture_of` made of one.
ImageSource = Path | str | bytes | Image.Image | Picture


def picture_of(source: ImageSource) -> Picture:
    """Name and hash of a source. Raises ImageError for a file that cannot be read."""
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        # Pixels alone do not tell a file's transparency or orientation; what will be embedded does.
        rgb = decode(source, "an image in memory")
        digest = hashlib.sha256(f"RGB {rgb.width}x{rgb.height}\n".encode() + rgb.tobytes()).hexdigest()
        return Picture(f"an image in memory ({digest[:12]})", digest, rgb)
    if isinstance(source, bytes):
        digest = hashlib.sha256(source).hexdigest()
        return Picture(f"an image in memory ({digest[:12]})", digest, source)
    return Picture(str(source), hashlib.sha256(_bytes(Path(source))).hexdigest(), source)


def decode(source: Path | str | bytes | Image.Image, name: str) -> Image.Image:
    """RGB, upright by its EXIF orientation, transparent parts on white, the first frame where there are several.

    Raises ImageError for what is no image, truncated, larger than 50 megapixels, or of 32 bits a channel.
    """
    try:
        if isinstance(source, Image.Image):
            return _rgb(source, name)
        data = source if isinstance(source, bytes) else _bytes(Path(source))
        with Image.open(io.BytesIO(data)) as image:
            return _rgb(image, name)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} is larger than {MOST_PIXELS // 10**6} megapixels; scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no image that Pillow can read; give PNG, JPEG or WebP") from error
    except DAMAGED as error:
        raise ImageError(f"{name} is truncated or damaged ({error}); make it again") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(
            f"{name} has {image.width * image.height / 1e6:.0f} megapixels; scale it down to "
            f"{MOST_PIXELS // 10**6} or fewer"
        )
    if image.mode in DEEP:
        raise ImageError(f"{name} has 32 bits a channel and no stated white; save it with 8 or 16")
    image.load()
    upright = ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    if upright.mode in SIXTEEN_BITS:
        upright = _eight_bits(upright)
    return _on_white(upright) if upright.has_transparency_data else upright.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper of 16 bits, rounded: Pillow itself would cut everything above 255 to white."""
    levels = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((levels + 128) // 257).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
    return white
