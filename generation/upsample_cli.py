"""The command ``upsample``: longer texts for prompts, made once and kept in a table."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from generation.origin_cli import PROGRESS, plain_console
from generation.recipe import ImageRequest
from generation.upsampling import freeze, read_table, upsampler_of


def upsample_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``upsample``."""
    parser.add_argument("table", type=Path, metavar="TABLE.json", help="made, or added to; texts in it never change")
    parser.add_argument("--prompt", action="append", default=[], help="may be repeated")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="one prompt a line")
    parser.add_argument("--by", required=True, metavar="tipo:FOLDER|table:FILE|null", help="what makes the text")
    parser.add_argument("--seed", type=int, default=0, help="of TIPO; 0 by default")


def upsample(options: argparse.Namespace) -> int:
    """Upsample what the table lacks. Raises ValueError without prompts, UpsamplingError where one cannot be made."""
    lines = options.prompts.read_text(encoding="utf-8").splitlines() if options.prompts else []
    prompts = [text.strip() for text in (*options.prompt, *lines) if text.strip()]
    if not prompts:
        raise ValueError("there is nothing to upsample: give --prompt TEXT or --prompts FILE")
    by = upsampler_of(options.by, options.seed)
    with Progress(*PROGRESS, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("upsampling, prompts", total=len(prompts))
        table = freeze(options.table, prompts, by, on_prompt=lambda _: progress.advance(bar))
    for prompt in dict.fromkeys(prompts):
        plain_console().print(table.entries[prompt].text)
    return 0


def request_options(parser: argparse.ArgumentParser) -> None:
    """What a request is made of."""
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--upsampled", type=Path, metavar="TABLE.json", help="render the text it has for this prompt")


def request(options: argparse.Namespace) -> ImageRequest:
    """What is asked for first. Raises UpsamplingError where the table has no text for the prompt."""
    if options.upsampled is None:
        return ImageRequest(options.prompt, options.seed)
    return read_table(options.upsampled).upsample(options.prompt).request(options.seed)
