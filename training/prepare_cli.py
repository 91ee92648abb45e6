"""``python -m training prepare SOURCE --out DIR``: posts pruned, ranked and written for training."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.arguments import positive
from training.config import PREPARE, load_toml, prepare_names
from training.folder import pictures_of
from training.prepare import Preparation, prepare
from training.prepare_config import WRITE, PrepareConfig


def main(argv: Sequence[str]) -> int:
    """Prepare, or go on; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    name = arguments.config
    path = PREPARE / f"{name}.toml" if name in prepare_names() else Path(name)
    config = load_toml(PrepareConfig, path, prepare_names())
    given = {"vocabulary": arguments.vocabulary, "on_problem": arguments.on_problem, "write": arguments.write}
    config = replace(config, **{key: value for key, value in given.items() if value is not None})
    config = replace(config, texts=(*config.texts, *arguments.texts))
    source: Path = arguments.source
    images = arguments.images or pictures_of(source)
    plan = Preparation(source, arguments.out, images, config, arguments.records)
    manifest = prepare(plan, command=f"python -m training prepare {' '.join(argv)}", workers=arguments.workers)
    print(f"{manifest['posts']} posts in {arguments.out}, {manifest['removed']} left out")
    print(f"python -m training report {arguments.out} shows which and why")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training prepare",
        description="Prune, rank and write posts for training. The same command goes on where it was interrupted.",
    )
    parser.add_argument("source", type=Path, metavar="SOURCE",
                        help="posts as .jsonl, .json, .parquet or .sqlite; a folder of such files; or a folder of "
                             "images with captions beside them")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--config", default="illustrious", metavar="NAME",
                        help=f"one of {', '.join(prepare_names())}, or a TOML file (default %(default)s)")  # fmt: skip
    parser.add_argument("--images", type=Path, help="folder of the images (default: the source's)")
    parser.add_argument("--vocabulary", metavar="CSV", help="tags with their categories, instead of the config's")
    parser.add_argument("--texts", action="append", default=[], metavar="FILE",
                        help="records of id with texts or register, joined to the posts; may be repeated")  # fmt: skip
    parser.add_argument("--write", choices=WRITE, help="records alone, check the images, or shards with them")
    parser.add_argument("--records", choices=("jsonl", "parquet"), default="jsonl", help="default %(default)s")
    parser.add_argument("--on-problem", choices=("go_on", "stop"), help="instead of the config's")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes (default %(default)s)")
    return parser
