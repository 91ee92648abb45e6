"""``python -m training synthetic SET``: render posts for what a prepared set shows too rarely."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from generation.checkpoint import CheckpointError, read_checkpoint
from generation.recipe import ImageRequest
from training.config import HOME
from training.errors import UserError
from training.synthetic import Repair, add_synthetic

RENDERER = "generation.renderer:Renderer"  # loads torch, so only when there is something to render


def main(argv: Sequence[str]) -> int:
    """Render and add; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    try:
        info = read_checkpoint(arguments.checkpoint)
        repair = Repair(tuple(arguments.tag), arguments.share, tuple(arguments.replace), arguments.most, arguments.seed)
    except (CheckpointError, ValueError) as error:
        raise UserError(str(error)) from error

    def render(requests: Sequence[ImageRequest]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        if not requests:
            return
        renderer = resolve_name(RENDERER)(arguments.checkpoint, device=arguments.device, threads=arguments.threads)
        columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, transient=True) as progress:
            for rendered in progress.track(renderer.render(info.recipe, requests), total=len(requests)):
                yield rendered.image, rendered.manifest

    command = f"python -m training synthetic {' '.join(argv)}"
    entry = add_synthetic(arguments.data, repair, info, render, command)
    before, after = (f"{100 * entry[name]:.1f} %" for name in ("share_before", "share_after"))
    print(f"{entry['posts']} posts in {arguments.data}/{entry['part']}: {', '.join(repair.tags)} {before} -> {after}"
          if entry["posts"] else f"nothing to render: {', '.join(repair.tags)} has {before} already")  # fmt: skip
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training synthetic",
        description="Render posts with tags that a prepared set has too rarely, and add them, marked as synthetic.",
    )
    parser.add_argument("data", type=Path, metavar="SET", help="a set made by `python -m training prepare`")
    parser.add_argument("--tag", action="append", required=True, help="tag that the posts have; may be repeated")
    parser.add_argument("--share", type=float, required=True, help="share of the set that they are to be, such as 0.3")
    parser.add_argument("--checkpoint", type=Path, default=HOME / "base" / "base", help="default %(default)s")
    parser.add_argument("--replace", type=_pair, action="append", default=[], metavar="OLD=NEW",
                        help="turn a tag of real posts into another before they serve as templates")  # fmt: skip
    parser.add_argument("--most", type=int, default=1000, help="the most images to render (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of templates (default 0)")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")
    return parser


def _pair(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not old or not new:
        raise argparse.ArgumentTypeError(f"{text!r} is not OLD=NEW")
    return old, new
