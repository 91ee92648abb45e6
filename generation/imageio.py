"""Images as PNG bytes: the archived copy that carries its Manifest, and the blind copy that carries nothing."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generation.errors import ImageError
from generation.provenance import a1111_parameters, manifest_json

# One setting for every PNG, so that file size and encoding say nothing about where an image comes from.
COMPRESS_LEVEL = 4
MAX_SCALE = 16
RESAMPLINGS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def archive_png(image: Image.Image, manifest: Mapping[str, Any]) -> bytes:
    """PNG of the exact pixels with two text chunks: ``manifest`` (canonical JSON) and A1111's ``parameters``.

    An image without a recipe, because it was imported, has the first one only.
    """
    return _encode(_bare(image), archive_chunks(manifest))


def archive_chunks(manifest: Mapping[str, Any]) -> PngInfo:
    """The two text chunks of an archived PNG."""
    chunks = PngInfo()
    if "recipe" in manifest:
        chunks.add_text("parameters", a1111_parameters(manifest))
    chunks.add_text("manifest", manifest_json(manifest))
    return chunks


def blind_png(image: Image.Image, scale: int = 1, resample: str = "lanczos") -> bytes:
    """PNG of the pixels alone, for voters: no text chunk, no EXIF, no colour profile, no time.

    Args:
        scale: whole factor 1..16 by which both sides grow.
        resample: "lanczos" (smooth and sharp), "bicubic", or "nearest" (shows the real pixels as squares).

    Raises ValueError for another scale or resample.
    """
    if isinstance(scale, bool) or not isinstance(scale, int) or not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"scale must be a whole number from 1 to {MAX_SCALE}, got {scale!r}")
    if resample not in RESAMPLINGS:
        raise ValueError(f"resample must be one of {', '.join(RESAMPLINGS)}, got {resample!r}")
    bare = _bare(image)
    if scale > 1:
        bare = bare.resize((bare.width * scale, bare.height * scale), RESAMPLINGS[resample])
    return _encode(bare, None)


def pixel_sha256(image: Image.Image) -> str:
    """Hash of width, height and the RGB bytes: equal for equal pictures, whatever file they came from."""
    rgb = _bare(image)
    return hashlib.sha256(f"RGB {rgb.width}x{rgb.height}\n".encode() + rgb.tobytes()).hexdigest()


def read_archive(data: bytes) -> tuple[Image.Image, dict[str, Any]]:
    """Pixels and Manifest of an archived PNG. Raises ImageError when it is no PNG or carries no Manifest."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            text, pixels = image.info.get("manifest"), _bare(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"not a readable PNG ({error})") from error
    try:
        manifest = json.loads(text) if isinstance(text, str) else None
    except ValueError as error:
        raise ImageError(f"the PNG's manifest is damaged ({error})") from error
    if not isinstance(manifest, dict):
        raise ImageError("the PNG carries no manifest; give an archived image, not a blind copy")
    return pixels, manifest


def _bare(image: Image.Image) -> Image.Image:
    """A copy with the pixels and nothing else: Pillow would write some of ``image.info`` back into the file."""
    rgb = image.convert("RGB")
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())


def _encode(image: Image.Image, chunks: PngInfo | None) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_level=COMPRESS_LEVEL, pnginfo=chunks)
    return stream.getvalue()
