"""``python -m training dataset demo|sheet``."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from training.arguments import count, positive
from training.dataset.characters import CHARACTERS
from training.dataset.plan import Plan
from training.dataset.sheet import contact_sheet
from training.dataset.writer import write_dataset
from training.errors import UserError
from training.folder import Pictures
from training.resize import BadImage
from training.rng import stream
from training.sources import read_posts


def main(argv: Sequence[str]) -> int:
    """Parse the arguments and run the chosen action; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    return int(arguments.action(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training dataset", description="Make or look at a data set.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    demo = actions.add_parser("demo", help="render the demo data set")
    demo.add_argument("--out", type=Path, required=True, help="folder to make")
    demo.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default 0)")
    demo.add_argument("--images", type=count, default=6000, help="generic posts (default 6000)")
    demo.add_argument(
        "--named-per-character",
        "--named",
        dest="named",
        type=count,
        default=40,
        help=f"posts of each of the {len(CHARACTERS)} named characters (default 40)",
    )
    demo.add_argument(
        "--workers", type=positive, default=min(2, os.cpu_count() or 1), help="rendering processes (default 2)"
    )
    demo.set_defaults(action=_demo)
    sheet = actions.add_parser("sheet", help="write a contact sheet with captions")
    sheet.add_argument("folder", type=Path, help="the data set's folder")
    sheet.add_argument("--out", type=Path, required=True, help="PNG file to write")
    sheet.add_argument("--count", type=positive, default=48, help="pictures to show (default 48)")
    sheet.add_argument("--character", help="only this named character's pictures")
    sheet.add_argument("--seed", type=int, default=0, help="which pictures (default 0)")
    sheet.set_defaults(action=_sheet)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.seed, arguments.images, arguments.named)
    if not len(plan):
        raise UserError("--images 0 with --named-per-character 0 leaves no posts: ask for at least one")
    command = (
        f"python -m training dataset demo --seed {plan.seed} --images {plan.images} --named-per-character {plan.named}"
    )
    written = write_dataset(arguments.out, plan, command=command, workers=arguments.workers)
    print(f"{len(plan)} posts in {arguments.out}" if written else f"{arguments.out} is up to date")
    return 0


def _sheet(arguments: argparse.Namespace) -> int:
    posts = [post for post in read_posts(arguments.folder) if arguments.character in {None, *post.character}]
    if not posts:
        raise UserError(f"no posts of {arguments.character!r} in {arguments.folder}")
    chosen = stream(arguments.seed, "sheet").sample(posts, min(arguments.count, len(posts)))
    pictures = Pictures(arguments.folder)
    try:
        contact_sheet([(pictures.data(post), " ".join((*post.character, *post.general))) for post in chosen]).save(
            arguments.out
        )
    except BadImage as error:
        raise UserError(f"a picture of {arguments.folder} {error}: make the data set again") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {arguments.out}: {error}") from error
    print(f"{len(chosen)} pictures in {arguments.out}")
    return 0
