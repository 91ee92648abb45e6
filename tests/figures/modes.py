"""Draw the gallery of docs/modes.md: each mode once, by the committed tiny base and the command line.

`python -m tests.figures.modes` (part of `make figures`) writes docs/pictures/modes/*.png, archives that pass `verify`,
and docs/pictures/modes.png, the same side by side and three times as large.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

from generation.cli import main as generation
from training.base_files import unpack_base

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures" / "modes"
SHEET = FOLDER.with_suffix(".png")
PROMPT = "1girl, solo, pink hair, twintails, blue eyes, smile, white background"
OTHER = "1girl, solo, green hair, twintails, blue eyes, smile, white background"
SEED, SCALE, GAP = 6, 3, 12
PLAIN, MASK = FOLDER / "text-to-image.png", FOLDER / "mask.png"
COMMON = ("--seed", str(SEED), "--threads", "1")
# What the page shows, in its order: a name, and how the image is made.
RENDERED = {
    "text-to-image": ("--prompt", PROMPT),
    "chain": (
        *("--prompt", PROMPT, "--sampler", "dpmpp_2m", "--spacing", "karras", "--steps", "20"),
        *("--chain", "euler:20:0.4"),
    ),
    "image-to-image": ("--prompt", OTHER, "--image", str(PLAIN), "--strength", "0.75", "--steps", "24"),
    "inpainting": ("--prompt", OTHER, "--image", str(PLAIN), "--mask", str(MASK), "--strength", "1"),
    "another-size": ("--prompt", PROMPT, "--width", "96", "--height", "64"),
}
UPSCALED = "upscaled"
SOURCES = {"image-to-image": (PLAIN, None), "inpainting": (PLAIN, MASK), UPSCALED: (PLAIN, None)}


def draw_mask(path: Path) -> None:
    """White where the hair is to be rendered anew: the upper half, but a circle for the face."""
    mask = Image.new("L", (64, 64), 0)
    pen = ImageDraw.Draw(mask)
    pen.rectangle((0, 0, 63, 38), fill=255)
    pen.ellipse((12, 29, 50, 60), fill=0)
    mask.save(path)


def render(base: Path, name: str, options: tuple[str, ...]) -> Path:
    """One archived image by the command line, under its own name."""
    with TemporaryDirectory() as out:
        run("render", str(base), *COMMON, *options, "--out", out)
        (made,) = Path(out).glob("*.png")
        return Path(made).rename(FOLDER / f"{name}.png")


def run(*arguments: str) -> None:
    """A command of `python -m generation`. Raises SystemExit where it fails."""
    code = generation(arguments)
    if code:
        sys.exit(code)


def draw_sheet(paths: list[Path]) -> None:
    """All pictures in a row on grey, enlarged, the mask among them."""
    pictures = [Image.open(path).convert("RGB") for path in paths]
    tall = max(picture.height for picture in pictures)
    shown = [
        picture if picture.height == tall else picture.resize((picture.width * SCALE, picture.height * SCALE))
        for picture in pictures
    ]
    width = sum(picture.width for picture in shown) + GAP * (len(shown) + 1)
    sheet = Image.new("RGB", (width, tall + 2 * GAP), (236, 236, 236))
    at = GAP
    for picture in shown:
        sheet.paste(picture, (at, GAP + (tall - picture.height) // 2))
        at += picture.width + GAP
    sheet.save(SHEET, optimize=True)


def main() -> None:
    """Everything anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    draw_mask(MASK)
    with TemporaryDirectory() as scratch:
        base = unpack_base(Path(scratch))[-1]
        made = [render(base, name, options) for name, options in RENDERED.items()]
        large = FOLDER / f"{UPSCALED}.png"
        run(
            *("upscale", str(base), *COMMON, "--prompt", PROMPT, "--image", str(PLAIN), "--scale", str(SCALE)),
            *("--steps", "100", "--strength", "0.01", "--out", str(large)),
        )
    draw_sheet([*made[:3], MASK, *made[3:], large])


if __name__ == "__main__":
    main()
