"""Rows as a table for people, or as JSON or CSV for programs."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Row = Mapping[str, object]


def print_rows(rows: Sequence[Row], form: str, out: TextIO, *, title: str = "") -> None:
    """Print the rows; columns are the keys of the first. A number that is not finite becomes null (JSON) or empty.

    JSON and CSV are written in one piece: what fails leaves no half of them.
    """
    columns = list(rows[0]) if rows else []
    if form == "json":
        plain = [{name: _plain(row[name]) for name in columns} for row in rows]
        out.write(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    elif form == "csv":
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_plain(row[name]) for name in columns] for row in rows)
        out.write(lines.getvalue())
    else:
        _table(columns, rows, title, out)


def _table(columns: Sequence[str], rows: Sequence[Row], title: str, out: TextIO) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in columns:
        words = any(isinstance(row[name], str) for row in rows)
        table.add_column(name.replace("_", " "), justify="left" if words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    # Without a terminal rich would squeeze the table into 80 columns.
    console = Console(file=out, width=None if out.isatty() else 240)
    console.print(table)


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return "|".join(map(str, value))
    return value


def _shown(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return "-"
    if isinstance(plain, float):
        return f"{plain:.2f}" if abs(plain) >= 10 else f"{plain:.3f}" if abs(plain) >= 0.001 else f"{plain:.1g}"
    return str(plain)
