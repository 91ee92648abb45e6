"""The command ``matchup``: one request by several checkpoints, written only when every side has its image."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from generation.imageio import archive_png, blind_png
from generation.modes_cli import mode, mode_options
from generation.origin_cli import chosen, device_options, load, origin, origin_options, plain_console, recipe_options
from generation.origin_cli import renderer as renderer_of
from generation.upsample_cli import request, request_options


def matchup_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``matchup``."""
    parser.add_argument("path", type=Path, metavar="FOLDER|FILE", help="the first side; its recipe serves all")
    parser.add_argument("other", type=Path, nargs="+", metavar="FOLDER|FILE", help="the other sides")
    request_options(parser)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a new folder: side-1.png and so on, and blind/ copies")
    origin_options(parser)
    mode_options(parser)
    recipe_options(parser, "default: the first side's")
    device_options(parser)


def matchup(options: argparse.Namespace) -> int:
    """Render all sides, then write them all, or none. Raises ValueError when the folder is there already."""
    out: Path = options.out
    if out.exists():
        raise ValueError(f"{out} is there already: choose a new folder")
    asked, how = request(options), mode(options)
    first = renderer_of(options)
    recipe = replace(first.info.recipe, **chosen(options))

    def sides() -> Iterator[Any]:
        yield first
        for path in options.other:
            first.swap(origin(path, options))
            yield first

    images = load("generation.matchup.render_matchup")(sides(), recipe, asked, mode=how)
    (out / "blind").mkdir(parents=True)
    for number, rendered in enumerate(images, 1):
        path = out / f"side-{number}.png"
        path.write_bytes(archive_png(rendered.image, rendered.manifest))
        (out / "blind" / path.name).write_bytes(blind_png(rendered.image))
        plain_console().print(f"{path}: {rendered.manifest['checkpoint']['name']}")
    return 0
