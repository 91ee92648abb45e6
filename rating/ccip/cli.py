"""`python -m rating ccip`: its commands and options (docs/commands.md)."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rating.cli import whole, within

FORMATS = ("table", "json")
DEVICES = {"cpu": ("CPUExecutionProvider",), "cuda": ("CUDAExecutionProvider",)}


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one command, its module among them. Ends the process for wrong usage and --help."""
    parser = argparse.ArgumentParser(
        prog="python -m rating ccip", description="Does a checkpoint draw this character? (docs/ccip.md)"
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    for name, (module, add_options, purpose) in COMMANDS.items():
        own = verbs.add_parser(name, help=purpose, description=purpose)
        own.add_argument("--format", choices=FORMATS, default="table")
        add_options(own)
        own.set_defaults(module=module)
    return parser.parse_args(arguments)


def _score_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, metavar="SUITE", help="suite.json: characters, references, prompts, seeds")
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="of a checkpoint: CHARACTER/PROMPT/SEED.png"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each score there, as CHECKPOINT.json")
    parser.add_argument("--threshold", type=within(0, 1), help="of the same character (default: the encoder's own)")
    _statistics_options(parser)
    _encoder_options(parser)


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scores", type=Path, nargs="+", metavar="SCORE", help="files that `score --out` wrote")
    parser.add_argument(
        "--resamples", type=whole(100), default=2000, help="of characters, for each pair (default 2000)"
    )
    _statistics_options(parser)


def _calibrate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="labelled images: CHARACTER/any name.png")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write metrics.json and cluster.json there; of a sealed encoder all files",
    )
    parser.add_argument("--resamples", type=whole(10), default=200, help="of characters (default 200)")
    parser.add_argument("--seed", type=whole(0), default=0, help="of the split and the resamples (default 0)")
    _encoder_options(parser)


def _check_options(parser: argparse.ArgumentParser) -> None:
    _encoder_options(parser)


def _statistics_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-missing", action="store_true", help="exit with 0 although images are missing")
    parser.add_argument("--level", type=within(0.5, 0.9999), default=0.95, help="of the intervals (default 0.95)")
    parser.add_argument("--seed", type=whole(0), default=0, help="of the bootstrap (default 0)")


def _encoder_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--encoder", metavar="ENCODER", help="a folder, or a name of deepghs/ccip_onnx (default: this project's own)"
    )
    parser.add_argument("--allow-download", action="store_true", help="fetch a named encoder from the hub")
    parser.add_argument("--cache", type=Path, default=_cache(), metavar="FILE", help=f"of embeddings ({_cache()})")
    parser.add_argument("--device", choices=tuple(DEVICES), help="default: cuda where onnxruntime has it, else cpu")
    parser.add_argument("--threads", type=whole(1), help="images at a time (default: all cores, 8 on a GPU)")
    parser.add_argument("--chunk", type=whole(1), help="images a run of the net (default: 1 on a CPU, 16 on a GPU)")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "illustration-arena" / "ccip.sqlite"


Options = Callable[[argparse.ArgumentParser], None]
# The module whose `run` does it, its options, what it is for.
COMMANDS: dict[str, tuple[str, Options, str]] = {
    "score": ("rating.ccip.cli_score", _score_options, "how like its characters each checkpoint's images are"),
    "compare": ("rating.ccip.cli_compare", _compare_options, "is one checkpoint nearer than another, and how sure?"),
    "calibrate": ("rating.ccip.cli_calibrate", _calibrate_options, "learn thresholds from labelled images"),
    "check": ("rating.ccip.cli_check", _check_options, "hold an encoder against the contract"),
}
