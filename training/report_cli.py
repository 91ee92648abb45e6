"""``python -m training report DIR``: what a prepared set holds and what was left out, as a page and as JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from generation.files import write_json, write_text
from training.config import caption_names, load_captions
from training.report import Asked, gather
from training.report_page import page
from training.token_counts import WORDS, of_checkpoint


def main(argv: Sequence[str]) -> int:
    """Write the report; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    config = load_captions(arguments.captions)
    counter = of_checkpoint(arguments.tokenizer) if arguments.tokenizer else WORDS
    values = gather(Asked(arguments.data, config, arguments.captions, counter, arguments.seed))
    out = arguments.out or arguments.data
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "report.json", values)
    write_text(out / "report.html", page(values))
    print(out / "report.html")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training report", description="What a prepared set holds and what was left out."
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="a set made by `python -m training prepare`")
    parser.add_argument("--out", type=Path, help="folder of report.html and report.json (default: the set's own)")
    captions = f"captions to look at: {', '.join(caption_names())}, or a file (default %(default)s)"
    parser.add_argument("--captions", default="v2.0", metavar="CONFIG", help=captions)
    parser.add_argument("--tokenizer", type=Path, metavar="DIR",
                        help="a checkpoint's folder `tokenizer`, to count tokens (default: count words)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the captions (default 0)")
    return parser
