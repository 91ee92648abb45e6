"""A contact sheet: enlarged pictures with their tags beneath, to look at a data set."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

ZOOM = 2
CAPTION_LINES = 8
LINE_PX = 11


def contact_sheet(pictures: Sequence[tuple[Path, str]], columns: int = 8) -> Image.Image:
    """Pictures (path, caption) in rows of ``columns``, each enlarged ``ZOOM`` times; RGB."""
    cell = 64 * ZOOM
    height = cell + CAPTION_LINES * LINE_PX + 4
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (path, caption) in enumerate(pictures):
        x, y = index % columns * cell, index // columns * height
        with Image.open(path) as image:
            sheet.paste(image.convert("RGB").resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        lines = textwrap.wrap(caption, 22)[:CAPTION_LINES]
        pen.multiline_text((x + 2, y + cell + 1), "\n".join(lines), fill="black", spacing=0, font_size=10)
    return sheet
