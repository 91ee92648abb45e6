"""Pieces of a report page: one HTML file that needs nothing else, no script and no network, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

_NUMBER = re.compile(r"-?[\d,.]+(e-?\d+)?( [%kM])?|")  # an empty cell is no word


def whole_page(title: str, sections: Iterable[str]) -> str:
    """The file."""
    style = resources.files("training").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def header(heading: str, facts: Iterable[tuple[str, str]], notes: str = "") -> str:
    """The name of the thing and its main figures, each (value, what it is)."""
    cells = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for value, name in facts)
    note = f'<p class="note">{escape(notes)}</p>' if notes else ""
    return f'<header><h1>{escape(heading)}</h1><ul class="facts">{cells}</ul>{note}</header>'


def section(heading: str, intro: str, *parts: str) -> str:
    """A heading, what it is about, and pieces below."""
    return f"<section><h2>{escape(heading)}</h2><p>{escape(intro)}</p>{''.join(parts)}</section>"


def figure(words: str, picture: str) -> str:
    """A picture under its caption."""
    return f"<figure>{caption(words)}{picture}</figure>"


def caption(words: str) -> str:
    """The caption alone."""
    return f"<figcaption>{escape(words)}</figcaption>"


def figures(*found: str) -> str:
    """Figures side by side where there is room."""
    return f'<div class="figures">{"".join(found)}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls sideways on a narrow page; columns of numbers stand right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    kinds = [_kind(column) for column in zip(*cells, strict=True)] or [""] * len(heads)
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(heads, kinds, strict=True))
    lines = ("".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) for row in cells)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(summary: str, inner: str) -> str:
    """What is shown only when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def _kind(column: Iterable[str]) -> str:
    return ' class="number"' if all(map(_NUMBER.fullmatch, column)) else ""
