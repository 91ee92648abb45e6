"""``python -m training report DIR``: a run, or what a prepared set holds and lacks, as a page and as JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.files import write_json, write_text
from training import leco_report, run_report
from training.config import caption_names, load_captions
from training.errors import UserError
from training.leco_launch import is_leco
from training.report import gather
from training.report_captions import Asked
from training.report_page import page
from training.run_report import is_run
from training.run_report_page import page as run_page
from training.token_counts import WORDS, of_checkpoint


def main(argv: Sequence[str]) -> int:
    """Write the report; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    if not arguments.data.is_dir():
        raise UserError(f"there is no folder {arguments.data}: name a run's, or that of a prepared set")
    if is_run(arguments.data):
        values, html = _of_run(arguments.data)
        return _write(arguments.out or arguments.data, values, html)
    config = load_captions(arguments.captions)
    counter = of_checkpoint(arguments.tokenizer) if arguments.tokenizer else WORDS
    values = gather(Asked(arguments.data, config, arguments.captions, counter, arguments.seed))
    return _write(arguments.out or arguments.data, values, page(values))


def _of_run(folder: Path) -> tuple[dict[str, Any], str]:
    """Values and page of a run that trains on pictures, or of one that teaches a concept."""
    gather_run, page_of = (leco_report.gather, leco_report.page) if is_leco(folder) else (run_report.gather, run_page)
    values = gather_run(folder)
    return values, page_of(values)


def _write(out: Path, values: dict[str, Any], html: str) -> int:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "report.json", values)
    write_text(out / "report.html", html)
    print(out / "report.html")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training report",
        description="A run, or what a prepared set holds and lacks; the options besides --out are for sets.",
    )
    parser.add_argument(
        "data", type=Path, metavar="DIR", help="a run's folder, or a set made by `python -m training prepare`"
    )
    parser.add_argument("--out", type=Path, help="folder of report.html and report.json (default: DIR itself)")
    captions = f"captions to look at: {', '.join(caption_names())}, or a file (default %(default)s)"
    parser.add_argument("--captions", default="v2.0", metavar="CONFIG", help=captions)
    parser.add_argument("--tokenizer", type=Path, metavar="DIR",
                        help="a checkpoint's folder `tokenizer`, to count tokens (default: count words)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the captions (default 0)")
    return parser
