"""A board as text: for a terminal, as Markdown, as CSV, as JSON."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from io import StringIO

from rich.console import Console
from rich.table import Table

from arena.leaderboard.heading import Head, SeatShare
from arena.leaderboard.rows import Row
from arena.leaderboard.table import Board
from rating.tally import PROVISIONAL_VOTES

PIPED_WIDTH = 180
WORDS = {"contestant", "run"}
# Elo points are read without decimals, differences with three.
DIGITS = {"elo": 0, "elo-twa": 0, "joint": 0, "ccip": 3}


def as_json(found: Board) -> str:
    """The rows and nothing else."""
    return json.dumps([asdict(row) for row in found.rows], indent=2, ensure_ascii=False)


def as_csv(found: Board) -> str:
    """A line for each row under the names of the columns; a list is joined by |."""
    lines = StringIO()
    writer = csv.DictWriter(lines, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in found.rows:
        writer.writerow(asdict(row) | {"lineage": "|".join(row.lineage)})
    return lines.getvalue()


def as_table(found: Board) -> str:
    """Columns for a terminal, and what the board says about itself."""
    names, rows = columns(found)
    table = Table(title=title(found.head))
    for name in names:
        table.add_column(name, justify="left" if name in WORDS else "right", overflow="fold")
    for row, cells in zip(found.rows, rows, strict=True):
        table.add_row(*cells, style="dim" if row.provisional else "")
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False)
    with console.capture() as printed:
        console.print(table, "\n".join(notes(found.head)), sep="\n")
    return printed.get()


def as_markdown(found: Board) -> str:
    """A table in Markdown, and what the board says about itself as a list; provisional rows are in italics."""
    names, rows = columns(found)
    rule = ["---" if name in WORDS else "---:" for name in names]
    lines = [f"## {title(found.head)}", "", _line(names), _line(rule)]
    for row, cells in zip(found.rows, rows, strict=True):
        escaped = [cell.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*") for cell in cells]
        lines.append(_line([f"*{cell}*" if row.provisional and cell else cell for cell in escaped]))
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(found.head)), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def title(head: Head) -> str:
    """Which board it is."""
    votes = [] if head.lower_is_better else [head.poll or "all polls", head.population]
    parts = [head.metric, *votes, head.cut]
    return ", ".join([*filter(None, parts), *([f"as of {head.as_of:%Y-%m-%d %H:%M %Z}"] if head.as_of else [])])


def columns(found: Board) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the cells of each row."""
    digits = DIGITS.get(found.head.metric, 1)
    averaged = any(row.average is not None for row in found.rows)
    # The value of TrueSkill is three sds below its skill, which lies at the interval's foot or below it.
    interval = "μ, 95 %" if found.head.metric == "trueskill" else "95 %"
    names = ["rank", "contestant", "run", "epoch", "value", *(["average"] if averaged else []), interval, "P(best)"]
    measured = found.head.lower_is_better
    names += ["gain", *(["images"] if measured else ["votes", "W", "L", "D", "shown"]), "licence"]
    return names, [_cells(row, digits, averaged, measured) for row in found.rows]


def _cells(row: Row, digits: int, averaged: bool, measured: bool) -> list[str]:
    change = "" if row.change is None else f"{row.change:+.{digits}f}"
    error = "" if row.change_error is None else f" ± {row.change_error:.{digits}f}"
    interval = "" if row.low is None or row.high is None else f"{row.low:.{digits}f} to {row.high:.{digits}f}"
    best = "" if row.best_probability is None else f"{100 * row.best_probability:.0f} %"
    votes = () if measured else (row.votes, row.wins, row.losses, row.draws)
    counts = [str(count) for count in (*votes, row.exposure)]
    average = [_number(row.average, digits)] if averaged else []
    shown = [_number(row.value, digits), *average, interval, best]
    name = f"{row.contestant} (imported)" if row.imported else row.contestant
    return [ranks(row), name, row.run, str(row.epoch), *shown, change + error, *counts, row.licence]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def ranks(row: Row) -> str:
    """The ranks that a row may have: 2, or 2-5."""
    if row.rank is None or row.rank_high is None:
        return "-"
    return str(row.rank) if row.rank == row.rank_high else f"{row.rank}-{row.rank_high}"


def notes(head: Head) -> list[str]:
    """What the board says about itself, line by line."""
    source = f"log {head.log_sha256 or 'empty'}, up to vote {head.through}"
    provisional = f"fewer than {PROVISIONAL_VOTES} votes"
    if head.lower_is_better:
        source, provisional = f"scores {head.log_sha256 or 'none'}", "images are missing, so they have no rank"
    lines = [
        head.message,
        _counts(head),
        f"{head.methodology}; {source}",
        _connected(head.groups),
        *(seats(share) for share in head.position_bias),
        _decided(head),
        *head.notes,
        _order(head),
        f"Ranks hold for all contestants at once (95 %). Greyed rows are provisional: {provisional}.",
    ]
    return [line for line in lines if line]


def _counts(head: Head) -> str:
    if head.lower_is_better:
        return f"{head.images} images measured; a lower difference is better"
    return (
        f"{head.counted} votes counted, {head.bad} both bad, {head.skipped} skipped, {head.excluded} excluded, "
        f"{head.unverified} unverified"
    )


def _connected(groups: list[int]) -> str:
    if len(groups) == 1:
        return f"All {groups[0]} contestants with votes are connected."
    return f"Groups of {', '.join(map(str, groups))} contestants never met." if groups else ""


def seats(share: SeatShare) -> str:
    """How often the first seat won."""
    name = "left seat" if share.seats == 2 else f"first of {share.seats} seats"
    return (
        f"{share.poll}: the {name} won {100 * share.share:.1f} % of {share.votes} "
        f"({100 * share.low:.1f} to {100 * share.high:.1f} %; even is {100 / share.seats:.0f} %)"
    )


def _decided(head: Head) -> str:
    if head.decided_pairs is None:
        return ""
    price = f", {head.votes_per_decided_pair:.0f} votes each" if head.votes_per_decided_pair else ""
    late = head.settled_votes is not None and head.settled_votes != head.counted
    since = f" at {head.settled_votes} votes" if late else ""
    voters = f"; {head.voters} voters" if head.voters else ""
    return f"{head.decided_pairs} of {head.pairs} pairs are decided{price}{since}{voters}"


def _order(head: Head) -> str:
    if head.order_sd is None:
        return ""
    return (
        f"Elo depends on the order of the votes: another order of the first {head.order_votes} would move a value "
        f"by {head.order_sd:.1f} points (sd)."
    )


PRINTED: dict[str, Callable[[Board], str]] = {
    "table": as_table,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}
