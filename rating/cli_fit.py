"""`python -m rating fit`: rate every contestant of a vote file."""

import csv
import sys
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

import numpy as np
from rich.progress import Progress, TextColumn

from rating.errors import VoteFileError
from rating.fitting import FitOptions, rate
from rating.printing import print_rows
from rating.votefile import read_votes
from rating.votes import BAD, SKIP, Votes

FAILED = 1


def run(options: Namespace) -> int:
    """Print the rows; 1 and the reason on stderr where the votes determine no rating."""
    votes = votes_of(options)
    rated = rate(votes, fit_options(options))
    print_rows(rated.rows, options.format, sys.stdout, title=_title(options, votes))
    for note in rated.notes if options.format == "table" else ():
        print(note)
    if rated.state.name != "ok":
        print(f"{rated.state.name}: {rated.state.message}", file=sys.stderr)
        return FAILED
    return 0


def votes_of(options: Namespace) -> Votes:
    """The votes of the file, of one poll if one is named; the reading shows its progress on a terminal.

    Raises VoteFileError for a file that cannot be read or a poll that is not in it.
    """
    columns = (TextColumn("reading {task.description}"), TextColumn("{task.completed:,.0f} votes"))
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(options.file.name, total=None)
        votes = read_votes(options.file, progress=lambda count: progress.update(task, completed=count))
    if options.poll is None:
        return votes
    if options.poll not in votes.polls:
        raise VoteFileError(f"{options.file}: no vote is of poll {options.poll!r}; polls: {', '.join(votes.polls)}")
    return votes.take(votes.poll == votes.polls.index(options.poll))


def fit_options(options: Namespace) -> FitOptions:
    """The options of a rating, out of those of the command."""
    given = {field.name: getattr(options, field.name) for field in fields(FitOptions) if hasattr(options, field.name)}
    given["left_seat"] = not options.no_left_seat
    given["lineage"] = read_lineage(options.lineage) if options.lineage else {}
    return FitOptions(**given)


def read_lineage(path: Path) -> dict[str, tuple[str, int]]:
    """(run, epoch) by contestant, from a CSV with those three columns. Raises VoteFileError naming the line."""
    lineage: dict[str, tuple[str, int]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if missing := {"contestant", "run", "epoch"} - set(reader.fieldnames or ()):
            raise VoteFileError(f"{path}, line 1: there is no column {min(missing)!r}; needed: contestant, run, epoch")
        for row in reader:
            try:
                lineage[row["contestant"]] = (row["run"], int(row["epoch"]))
            except (TypeError, ValueError):
                raise VoteFileError(
                    f"{path}, line {reader.line_num}: epoch is {row['epoch']!r}, not a number"
                ) from None
    return lineage


def _title(options: Namespace, votes: Votes) -> str:
    counted = int(np.count_nonzero(votes.counted))
    bad, skipped = (int(np.count_nonzero(votes.kinds == kind)) for kind in (BAD, SKIP))
    return (
        f"{options.system}: {counted} votes counted, {bad} all bad, {skipped} skipped; intervals by {options.cluster}"
    )
