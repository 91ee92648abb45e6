"""``python -m training report DIR``: what a prepared set holds and what was left out, as a page and as JSON."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from training.config import caption_names, load_captions
from training.report import Asked, gather
from training.report_page import page

TOKENIZER = Path(__file__).parent / "base" / "shared" / "tokenizer"


def main(argv: Sequence[str]) -> int:
    """Write the report; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    config = load_captions(arguments.captions)
    values = gather(Asked(arguments.data, config, arguments.captions, arguments.tokenizer, arguments.seed))
    out = arguments.out or arguments.data
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "report.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    _write(out / "report.html", page(values))
    print(out / "report.html")
    return 0


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training report", description="What a prepared set holds and what was left out."
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="a set made by `python -m training prepare`")
    parser.add_argument("--out", type=Path, help="folder of report.html and report.json (default: the set's own)")
    captions = f"captions to look at: {', '.join(caption_names())}, or a file (default %(default)s)"
    parser.add_argument("--captions", default="v2.0", metavar="CONFIG", help=captions)
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER, metavar="DIR",
                        help="a checkpoint's folder `tokenizer` (default: that of the committed base)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the captions (default 0)")
    return parser
