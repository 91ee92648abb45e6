"""The command line of this package (docs/commands.md). A command's module is imported when the command is given."""

import argparse
import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rating.errors import RatingError
from rating.printing import FORMATS

FAILED = 1
SYSTEMS = ("elo", "trueskill", "trueskill2", "joint")
CLUSTERS = ("voter", "prompt", "both", "none")


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 refused or no ratings possible (said on stderr)."""
    options = _parser().parse_args(arguments)
    module = importlib.import_module(COMMANDS[options.verb][0])
    try:
        code: int = module.run(options)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (RatingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 128 + 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rating", description="Ratings of a vote file, and how sure they are."
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    for name, (_, add_options, purpose) in COMMANDS.items():
        options = verbs.add_parser(name, help=purpose, description=purpose)
        options.add_argument("file", type=Path, metavar="FILE", help="votes: .csv, .jsonl or .parquet")
        options.add_argument("--format", choices=FORMATS, default="table")
        options.add_argument("--poll", help="only votes of this poll")
        options.add_argument("--seed", type=_natural, default=0, help="of everything random (default 0)")
        add_options(options)
    return parser


def _fit_options(parser: argparse.ArgumentParser) -> None:
    _system_options(parser, "trueskill")
    _uncertainty_options(parser)


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("contestants", nargs="*", metavar="CONTESTANT", help="two to compare; without any, all pairs")
    parser.add_argument(
        "--reference",
        metavar="CONTESTANT",
        help="compare each contestant with this one, corrected for picking the best of them",
    )
    _system_options(parser, "joint")
    _uncertainty_options(parser)


def _order_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--permutations", type=_at_least(2), default=100, help="random orders of the votes (default 100)"
    )
    _system_options(parser, "elo")


def _next_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method", choices=("a-optimal", "information-gain", "balanced-random", "uniform"), default="a-optimal"
    )
    parser.add_argument("--seats", type=int, choices=(2, 3, 4), default=2)
    parser.add_argument(
        "--answer", choices=("pick", "ranking"), default="pick", help="what a voter of more than two seats is asked"
    )
    parser.add_argument("--count", type=_at_least(1), default=5, help="how many matchups (default 5)")
    parser.add_argument("--gpu-seconds", type=_positive, default=0.0, help="to render one image that is not cached")
    parser.add_argument("--voter-seconds", type=_positive, default=1.0, help="a vote takes")
    parser.add_argument(
        "--cached", metavar="CONTESTANT", nargs="*", default=[], help="contestants whose images are rendered already"
    )
    _system_options(parser, "joint")
    _uncertainty_options(parser)


def _simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repeats", type=_at_least(1), default=20, help="votes are drawn anew so many times (default 20)"
    )
    parser.add_argument("--taste", type=_positive, default=0.0, help="sd of a voter's own taste, in nat (default 0)")
    parser.add_argument("--write", type=Path, metavar="VOTES", help="write one simulated vote file and stop")
    _system_options(parser, "joint")
    _uncertainty_options(parser)


def _system_options(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--system", choices=SYSTEMS, default=default, help=f"default {default}")
    parser.add_argument("--compiled", action="store_true", help="elo, trueskill: for millions of votes (extra fast)")
    elo = parser.add_argument_group("elo")
    elo.add_argument("--k", type=_positive, default=32.0, help="step (default 32)")
    elo.add_argument("--initial", type=_number, default=1500.0, help="first rating (default 1500)")
    elo.add_argument("--clock", choices=("votes", "wall"), default="votes", help="of the average (default votes)")
    elo.add_argument("--window", type=_positive, help="votes or seconds averaged over (default: the last half)")
    elo.add_argument(
        "--half-life", type=_positive, help="average with weights that halve every so many votes or seconds"
    )
    trueskill = parser.add_argument_group("trueskill, trueskill2")
    trueskill.add_argument("--mu", type=_number, default=25.0)
    trueskill.add_argument("--sigma", type=_positive, default=25 / 3)
    trueskill.add_argument("--beta", type=_positive, default=25 / 6)
    trueskill.add_argument("--tau", type=_positive, help="drift per vote; default 0, as checkpoints are frozen")
    trueskill.add_argument("--draw-probability", type=_share, help="default: learned for each poll")
    trueskill.add_argument("--compat", action="store_true", help="rate as the trueskill package does")
    trueskill.add_argument(
        "--lineage", type=Path, metavar="CSV", help="contestant,run,epoch: epochs of a run walk (trueskill2)"
    )
    trueskill.add_argument("--backend", choices=("own", "trueskill-package"), default="own")
    joint = parser.add_argument_group("joint")
    joint.add_argument("--ties", choices=("davidson", "rao-kupper", "half"), default="davidson")
    joint.add_argument("--no-left-seat", action="store_true", help="leave the advantage of the first seat out")


def _uncertainty_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", choices=CLUSTERS, default="voter", help="what votes are not independent within (default voter)"
    )
    parser.add_argument("--bootstrap", type=_natural, default=0, help="joint: intervals from so many resamples")
    parser.add_argument("--level", type=_inside, default=0.95, help="of the intervals (default 0.95)")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1)")
    return value


def _inside(text: str) -> float:
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _natural(text: str) -> int:
    return _at_least(0)(text)


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return value

    return number


Options = Callable[[argparse.ArgumentParser], None]
# The module whose `run` does it, its options, what it is for.
COMMANDS: dict[str, tuple[str, Options, str]] = {
    "fit": ("rating.cli_fit", _fit_options, "rate every contestant"),
    "compare": ("rating.cli_compare", _compare_options, "is B better than A, and how sure is that?"),
    "order": ("rating.cli_order", _order_options, "what another order of the same votes would have done"),
    "next": ("rating.cli_next", _next_options, "which matchups to ask for next"),
    "simulate": ("rating.cli_simulate", _simulate_options, "draw the votes anew from what they say, and rate again"),
}
