"""A figure as PNG, for slides and papers."""

import tempfile
from functools import lru_cache
from pathlib import Path

import resvg_py
from PIL import ImageFont

ZOOM = 2
# Pixels to a side that a picture is never larger than.
LARGEST = 8000
PLAIN_FAMILY = "Aileron"


def png(svg: str, height: float, *, system_fonts: bool = True) -> bytes:
    """The picture at twice its size (less where it would be huge), with the machine's fonts or, without any, a plain
    one."""
    zoom = max(1, min(ZOOM, int(LARGEST // height)))
    plain = plain_font()
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=zoom,
            skip_system_fonts=not system_fonts,
            font_files=[plain] if plain else None,
            # The last of the families that a picture asks for; the machine's own come first.
            sans_serif_family=PLAIN_FAMILY,
        )
    )


@lru_cache(maxsize=1)
def plain_font() -> str:
    """A file of the font that Pillow carries; empty where it was built without fonts."""
    content = getattr(ImageFont.load_default(12), "font_bytes", None)
    if not content:
        return ""
    path = Path(tempfile.mkdtemp(prefix="arena-font-")) / "plain.ttf"
    path.write_bytes(content)
    return str(path)
