"""``python -m training explain-caption POST``: how the caption of one post in one epoch comes about."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from training.arguments import count
from training.captions import caption
from training.census import part_lines
from training.config import HOME, caption_names, load_captions
from training.errors import UserError
from training.explain import as_table, explain
from training.folder import with_vocabulary
from training.sources import each_post


def main(argv: Sequence[str]) -> int:
    """Print the trace; 0 when done. Raises UserError where there is no such post or config."""
    arguments = _parser().parse_args(argv)
    config = with_vocabulary(load_captions(arguments.captions), arguments.data)
    post = next((post for post in each_post(arguments.data) if post.id == arguments.post), None)
    if post is None:
        line = next((line for line in part_lines(arguments.data, "removed") if line["post"] == arguments.post), None)
        if line is not None:
            raise UserError(f"post {arguments.post} was left out: {line['reason']}, {line['detail']}")
        raise UserError(f"{arguments.data} has no post {arguments.post}: give the id of one that it has")
    made = caption(post, config, arguments.seed, arguments.epoch)
    values = explain(post, config, arguments.seed, arguments.epoch, made)
    if arguments.format == "json":
        print(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        Console(soft_wrap=True, highlight=False).print(as_table(values))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training explain-caption",
        description="How the caption of one post in one epoch comes about: every draw, and every tag's fate.",
    )
    parser.add_argument("post", type=int, metavar="POST", help="the post's id")
    parser.add_argument("--epoch", type=count, default=0, help="default 0")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--data", type=Path, default=HOME / "dataset", help="data set (default %(default)s)")
    parser.add_argument(
        "--captions",
        default="named-adventurers",
        metavar="CONFIG",
        help=f"one of {', '.join(caption_names())}, or a TOML file (default %(default)s)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    return parser
