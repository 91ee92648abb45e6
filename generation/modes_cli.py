"""Options of the modes (pictures, masks, further passes) and the command ``upscale``."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from generation.errors import ImageError
from generation.modes import Mode, parse_passes
from generation.origin_cli import (
    PROGRESS,
    chosen,
    device_options,
    load,
    origin_options,
    plain_console,
    recipe_options,
    renderer,
)
from generation.recipe import ImageRequest

DEFAULT_STRENGTH = 0.6


def mode_options(parser: argparse.ArgumentParser) -> None:
    """Options that make a Mode."""
    mode = parser.add_argument_group("mode", "default: text-to-image in one pass")
    mode.add_argument("--image", type=Path, help="start from this picture, in the recipe's size")
    mode.add_argument("--mask", type=Path, help="with --image: white is rendered anew, black kept to the byte")
    mode.add_argument("--strength", type=float, help=f"with --image: how much is done anew; {DEFAULT_STRENGTH}")
    mode.add_argument(
        "--chain",
        action="append",
        default=[],
        metavar="SAMPLER:STEPS:STRENGTH:SPACING",
        help="a further pass over the result, such as euler:20:0.4; may be repeated",
    )


def mode(options: argparse.Namespace) -> Mode:
    """The Mode that the options name. Raises ValueError or ImageError."""
    if options.image is None and (options.mask or options.strength is not None):
        raise ValueError("--mask and --strength need --image")
    strength = DEFAULT_STRENGTH if options.strength is None else options.strength
    return Mode(
        open_picture(options.image),
        1.0 if options.image is None else strength,
        open_picture(options.mask),
        parse_passes(options.chain),
    )


def open_picture(path: Path | None) -> Image.Image | None:
    """The picture of a file. Raises ImageError naming it."""
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path} is no readable picture ({error})") from error


def upscale_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``upscale``."""
    parser.add_argument("path", type=Path, metavar="FOLDER|FILE")
    parser.add_argument("--image", type=Path, required=True, help="the picture to enlarge")
    parser.add_argument("--prompt", required=True, help="what is in it")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, default=2.0, help="of both sides; 2 by default")
    parser.add_argument("--strength", type=float, default=0.3, help="how much is done anew; 0.3 by default")
    parser.add_argument("--overlap", type=float, default=0.25, help="share of a tile, at most a third; 0.25 by default")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    origin_options(parser)
    recipe_options(parser, "of every tile; width and height are the tile's")
    device_options(parser)


def upscale(options: argparse.Namespace) -> int:
    """Enlarge a picture by tiles; started again after a stop, it goes on."""
    picture = open_picture(options.image)
    assert picture is not None
    request = ImageRequest(options.prompt, options.seed)
    if not 1 <= options.scale <= 64:
        raise ValueError(f"--scale must be from 1 to 64, got {options.scale:g}")
    one: Any = renderer(options)
    recipe = replace(one.info.recipe, **chosen(options))
    unit = one.parts.latent_factor
    width, height = (max(unit, round(side * options.scale / unit) * unit) for side in picture.size)
    overlap = int(min(recipe.width, recipe.height) * options.overlap)
    enlargement = load("generation.upscale.Enlargement")(width, height, overlap, options.strength)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with Progress(*PROGRESS, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("upscaling, tiles", total=None)
        load("generation.upscale.upscale")(
            one,
            recipe,
            request,
            picture,
            enlargement,
            options.out,
            on_tile=lambda done, total: progress.update(bar, completed=done, total=total),
            should_stop=options.should_stop,
        )
    plain_console().print(f"{options.out}: {width}x{height}")
    return 0
