"""The command line of this package (docs/commands.md). A command's module is imported when the command is given."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rating.errors import RatingError

FAILED = 1
FORMATS = ("table", "json", "csv")
SYSTEMS = ("elo", "trueskill", "trueskill2", "joint")
CLUSTERS = ("voter", "prompt", "both", "none")
# By name, the systems that an option of only some of them belongs to.
BELONGS = {
    "compiled": ("elo", "trueskill", "joint"),
    "k": ("elo",),
    "initial": ("elo", "joint"),
    "clock": ("elo",),
    "window": ("elo",),
    "half_life": ("elo",),
    "mu": ("trueskill", "trueskill2"),
    "sigma": ("trueskill",),
    "beta": ("trueskill", "trueskill2"),
    "tau": ("trueskill",),
    "draw_probability": ("trueskill",),
    "compat": ("trueskill",),
    "backend": ("trueskill",),
    "lineage": ("trueskill2",),
    "ties": ("joint",),
    "no_left_seat": ("joint", "trueskill2"),
    "bootstrap": ("joint",),
}
# What `simulate` also takes for the truth that it draws votes from, whichever system rates them.
SIMULATED = {"initial": SYSTEMS, "no_left_seat": SYSTEMS}
# Beyond these, sums of squares leave what a float can hold or tell apart.
SMALL, LARGE = 1e-6, 1e9


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 refused or no ratings possible (said on stderr)."""
    options = _parsed(arguments)
    if sys.stdout is None:
        print("error: the standard output is closed; send it somewhere", file=sys.stderr)
        return FAILED
    try:
        code: int = _imported(options.module).run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        code = FAILED  # whoever read our output has seen enough
    except UnicodeEncodeError as error:
        print(f"error: {error.encoding} cannot show {error.object[error.start]!a}; set PYTHONUTF8=1", file=sys.stderr)
        code = FAILED
    except (RatingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code if isinstance(error, RatingError) else FAILED
    _flush()
    return code


def _imported(module: str) -> Any:
    """The module of a command. Raises RatingError where a package is missing: the environment is easily forgotten.

    What is missing once the command runs has other reasons, and a traceback.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "rating").split(".")[0] == "rating":
            raise
        raise RatingError(
            f"{error.name} is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate."
        ) from error


def _flush() -> None:
    """Leave nothing behind that would fail at exit: what cannot be written is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    if arguments and arguments[0] in GROUPS:
        options: argparse.Namespace = importlib.import_module(GROUPS[arguments[0]][0]).parsed(arguments[1:])
        return options
    parser = argparse.ArgumentParser(
        prog="python -m rating", description="Ratings of a vote file, and how sure they are; similarity of characters."
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    for name, (_, add_options, purpose) in COMMANDS.items():
        own = verbs.add_parser(name, help=purpose, description=purpose)
        forms = "votes or battles: .csv, .jsonl, .parquet; battles also .json"
        own.add_argument("file", type=Path, metavar="FILE", help=forms)
        own.add_argument("--format", choices=FORMATS, default="table")
        own.add_argument("--poll", help="only votes of this poll")
        own.add_argument("--seed", type=whole(0), default=0, help="of everything random (default 0)")
        add_options(own)
    for name, (_, purpose) in GROUPS.items():
        verbs.add_parser(name, help=purpose)
    if not arguments or arguments[0] not in COMMANDS:
        return parser.parse_args(arguments)
    # The command's own parser can read names that stand after options, which a parser of commands cannot.
    verb = argparse.Namespace(verb=arguments[0], module=COMMANDS[arguments[0]][0])
    own = verbs.choices[arguments[0]]
    options = own.parse_intermixed_args(arguments[1:], verb)
    if problem := _without_effect(options):
        own.error(problem)
    return options


def _without_effect(options: argparse.Namespace) -> str:
    """What to say of an option that was given and belongs to another system; empty where there is none."""
    for name, systems in BELONGS.items():
        known = systems if options.verb != "simulate" else (*systems, *SIMULATED.get(name, ()))
        if name in options and options.system not in known:
            option, those = f"--{name.replace('_', '-')}", " and ".join(systems)
            return (
                f"argument {option}: belongs to {those} and has no effect on {options.system}; "
                f"leave it out, or use --system {systems[0]}"
            )
    return ""


def _fit_options(parser: argparse.ArgumentParser) -> None:
    _system_options(parser, "trueskill")
    average = parser.add_argument_group("elo's time-weighted average")
    average.add_argument("--clock", choices=("votes", "wall"), default=argparse.SUPPRESS, help="default votes")
    add = partial(
        average.add_mutually_exclusive_group().add_argument, type=within(SMALL, LARGE), default=argparse.SUPPRESS
    )
    add("--window", help="votes or seconds averaged over (default: the last half)")
    add("--half-life", help="with weights that halve every so many votes or seconds")
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
    parser.add_argument("--permutations", type=whole(2), default=100, help="random orders of the votes (default 100)")
    _system_options(parser, "elo")


def _next_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method", choices=("a-optimal", "information-gain", "balanced-random", "uniform"), default="a-optimal"
    )
    parser.add_argument("--seats", type=int, choices=(2, 3, 4), default=2)
    parser.add_argument(
        "--answer", choices=("pick", "ranking"), default="pick", help="what a voter of more than two seats is asked"
    )
    parser.add_argument("--count", type=whole(1), default=5, help="how many matchups (default 5)")
    parser.add_argument(
        "--gpu-seconds", type=within(0, LARGE), default=0.0, help="to render one image that is not cached"
    )
    parser.add_argument("--voter-seconds", type=within(SMALL, LARGE), default=1.0, help="a vote takes")
    parser.add_argument(
        "--cached", metavar="CONTESTANT", nargs="*", default=[], help="contestants whose images are rendered already"
    )
    _system_options(parser, "joint")
    _uncertainty_options(parser)


def _simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=whole(1), default=20, help="votes are drawn anew so many times (default 20)")
    parser.add_argument(
        "--taste", type=within(0, 100), default=0.0, help="sd of a voter's own taste, in nat (default 0)"
    )
    parser.add_argument("--write", type=Path, metavar="VOTES", help="write one simulated vote file and stop")
    _system_options(parser, "joint")
    _uncertainty_options(parser)


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", type=whole(2), default=5, help="the votes are held out in so many parts (default 5)")
    together = "what is held out together (default voter)"
    parser.add_argument("--cluster", choices=("voter", "prompt", "none"), default="voter", help=together)


def _system_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Without defaults of their own: what is not given is not there, and FitOptions knows its default."""
    parser.add_argument("--system", choices=SYSTEMS, default=default, help=f"default {default}")
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--compiled", action="store_true", help="elo, trueskill, joint: for millions of votes (extra fast)")
    add = partial(parser.add_argument_group("elo").add_argument, default=argparse.SUPPRESS)
    add("--k", type=within(SMALL, LARGE), help="step (default 32)")
    add("--initial", type=within(-LARGE, LARGE), help="first rating, of joint the mean (default 1500)")
    add = partial(parser.add_argument_group("trueskill, trueskill2").add_argument, default=argparse.SUPPRESS)
    add("--mu", type=within(-LARGE, LARGE))
    add("--sigma", type=within(SMALL, LARGE), help="trueskill")
    add("--beta", type=within(SMALL, LARGE))
    add("--tau", type=within(0, LARGE), help="trueskill: drift per vote; default 0, as checkpoints are frozen")
    add("--draw-probability", type=within(0, 0.9999), help="trueskill; default: learned for each poll")
    add("--compat", action="store_true", help="trueskill: rate as the trueskill package does")
    add("--backend", choices=("own", "trueskill-package"), help="trueskill")
    add("--lineage", type=Path, metavar="CSV", help="trueskill2: contestant,run,epoch: epochs of a run walk")
    add = partial(parser.add_argument_group("joint").add_argument, default=argparse.SUPPRESS)
    add("--ties", choices=("davidson", "rao-kupper", "half"), help="default davidson")
    add("--no-left-seat", action="store_true", help="joint, trueskill2: without the advantage of the first seat")


def _uncertainty_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", choices=CLUSTERS, default="voter", help="what votes are not independent within (default voter)"
    )
    parser.add_argument(
        "--bootstrap",
        type=whole(50, also=0),
        default=argparse.SUPPRESS,
        help="joint: intervals from so many resamples, 50 at least",
    )
    parser.add_argument("--level", type=within(1e-4, 0.9999), default=0.95, help="of the intervals (default 0.95)")


def within(low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not within {low:g} to {high:g}")
        return value

    return number


def whole(low: int, also: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < low and value != also:
            raise argparse.ArgumentTypeError(f"{text} is below {low}")
        return value

    return number


Options = Callable[[argparse.ArgumentParser], None]
# The module whose `run` does it, its options, what it is for.
COMMANDS: dict[str, tuple[str, Options, str]] = {
    "fit": ("rating.cli_fit", _fit_options, "rate every contestant"),
    "compare": ("rating.cli_compare", _compare_options, "is B better than A, and how sure is that?"),
    "order": ("rating.cli_order", _order_options, "what another order of the same votes would have done"),
    "next": ("rating.cli_next", _next_options, "which matchups to ask for next"),
    "predict": ("rating.cli_predict", _predict_options, "which system predicts votes best that it has not seen"),
    "simulate": ("rating.cli_simulate", _simulate_options, "draw the votes anew from what they say, and rate again"),
}
# Commands that have commands of their own: the module that parses those, what they are for.
GROUPS: dict[str, tuple[str, str]] = {
    "ccip": ("rating.ccip.cli", "how like the characters a checkpoint's images are: score, compare, calibrate, check"),
}
