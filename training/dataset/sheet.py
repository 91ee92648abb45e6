"""A contact sheet: enlarged pictures with their tags beneath, to look at a data set."""

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw

from training.resize import decoding, opened

ZOOM = 2
CAPTION_LINES = 8
LINE_PX = 11


def contact_sheet(pictures: Sequence[tuple[bytes, str]], columns: int = 8) -> Image.Image:
    """Pictures (file bytes, caption) in rows of ``columns``, each as a 64 x 64 one enlarged ``ZOOM`` times; RGB.

    Raises:
        BadImage: a picture cannot be decoded.
    """
    cell = 64 * ZOOM
    height = cell + CAPTION_LINES * LINE_PX + 4
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (data, caption) in enumerate(pictures):
        x, y = index % columns * cell, index // columns * height
        with opened(data) as image, decoding():
            sheet.paste(image.convert("RGB").resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        lines = textwrap.wrap(caption, 22)[:CAPTION_LINES]
        pen.multiline_text((x + 2, y + cell + 1), "\n".join(lines), fill="black", spacing=0, font_size=10)
    return sheet
