"""`python -m rating fit`: rate every contestant of a vote file."""

import csv
import math
import re
import sys
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

import numpy as np

from rating.battles import read_either
from rating.errors import VoteFileError
from rating.fitting import FitOptions, rate
from rating.graph import VoteState
from rating.printing import print_rows
from rating.progress import shown
from rating.suggest import nearest
from rating.system import Report
from rating.votes import BAD, SKIP, Votes

FAILED = 1
EPOCH = re.compile(r"-?[0-9]{1,9}")


def run(options: Namespace) -> int:
    """Print the rows; 1 and the reason on stderr where the votes determine no rating."""
    with shown() as report:
        votes = votes_of(options, report)
        rated = rate(votes, fit_options(options, votes), report)
    rows = rated.rows
    if options.format == "table":  # which people read together with what is said below
        rows = [{name: value for name, value in row.items() if name != "state"} for row in rows]
    print_rows(rows, options.format, sys.stdout, title=_title(options, votes))
    for note in rated.notes if options.format == "table" else ():
        print(note)
    say(rated.state)
    return 0 if rated.numbers else FAILED


def say(state: VoteState) -> None:
    """Say on stderr what the votes lack, if they do."""
    if state.name != "ok":
        print(f"{state.name}: {state.message}", file=sys.stderr)


def votes_of(options: Namespace, report: Report) -> Votes:
    """The votes of the file, or its battles, of one poll if one is named.

    Raises VoteFileError for a file that cannot be read or a poll that is not in it.
    """
    votes = read_either(options.file, progress=lambda count: report(f"reading {options.file.name}", count, 0))
    if options.poll is None:
        return votes
    if options.poll not in votes.polls:
        raise VoteFileError(f"{options.file}: no vote is of poll {options.poll!r}; polls: {', '.join(votes.polls)}")
    return votes.take(votes.poll == votes.polls.index(options.poll))


def fit_options(options: Namespace, votes: Votes) -> FitOptions:
    """The options of a rating, out of those of the command.

    Raises VoteFileError for a lineage that cannot be read or names nobody.
    """
    given = {field.name: getattr(options, field.name) for field in fields(FitOptions) if field.name in options}
    given["left_seat"] = "no_left_seat" not in options
    if "lineage" in options:
        given["lineage"] = read_lineage(options.lineage)
        for name in given["lineage"]:
            if name not in votes.contestants:
                raise VoteFileError(f"{options.lineage}: no vote names {name!r}{nearest(name, votes.contestants)}")
    return FitOptions(**given)


def read_lineage(path: Path) -> dict[str, tuple[str, int]]:
    """(run, epoch) by contestant, from a CSV with those three columns. Raises VoteFileError naming the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _lineage(path, csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VoteFileError(
            f"{path}: cannot be read: {error}; --lineage needs a CSV with the columns contestant, run, epoch"
        ) from error


def _lineage(path: Path, reader: "csv.DictReader[str]") -> dict[str, tuple[str, int]]:
    lineage: dict[str, tuple[str, int]] = {}
    if missing := {"contestant", "run", "epoch"} - set(reader.fieldnames or ()):
        raise VoteFileError(f"{path}, line 1: there is no column {min(missing)!r}; needed: contestant, run, epoch")
    for row in reader:
        name = row["contestant"]
        if name in lineage:
            raise VoteFileError(f"{path}, line {reader.line_num}: contestant {name!r} is named twice")
        if not EPOCH.fullmatch(row["epoch"] or ""):
            raise VoteFileError(f"{path}, line {reader.line_num}: epoch is {row['epoch']!r}, not a whole number")
        lineage[name] = (row["run"], int(row["epoch"]))
    return lineage


def _title(options: Namespace, votes: Votes) -> str:
    counted = int(np.count_nonzero(votes.counted))
    bad, skipped = (int(np.count_nonzero(votes.kinds == kind)) for kind in (BAD, SKIP))
    return (
        f"{options.system}: {counted} votes counted, {bad} all bad, {skipped} skipped; {_voters(votes)}; "
        f"intervals by {options.cluster}"
    )


def _voters(votes: Votes) -> str:
    """How many voted, and how much of it the busiest hundredth of them (one at least) did."""
    cast = np.sort(np.bincount(votes.voter[votes.counted & (votes.voter >= 0)]))[::-1]
    cast = cast[cast > 0]
    if not len(cast):
        return "voters unknown"
    share = cast[: math.ceil(len(cast) / 100)].sum() / cast.sum()
    return f"{len(cast)} voters, the busiest 1 % cast {share * 100:.0f} %"
