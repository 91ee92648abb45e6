"""Small pictures for a page, as SVG text: bars, columns, bubbles and a curve; colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Row = tuple[str, float, float]  # label, before, after


def number(value: float) -> str:
    """A count or a share as people read it: 1,234, 12.3 k, 1.2 M."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 1e5:
        return f"{value / 1e3:.0f} k"
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share between 0 and 1 with as many places as it needs."""
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.1 else f"{100 * share:.2g} %"


def svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    """A picture that scales with its column and says what it shows."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title, quote=True)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Words at a place; ``style`` is a class of the page."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(x: float, y: float, width: float, height: float, style: str, hint: str = "") -> str:
    """A filled rectangle; ``hint`` shows when it is pointed at."""
    inner = f"<title>{escape(hint)}</title>" if hint else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" rx="1.5" class="{style}">'
        f"{inner}</rect>"
    )


def round_steps(longest: float, about: int) -> list[int]:
    """Whole numbers along an axis up to ``longest``, ``about`` as many: multiples of 1, 2 or 5 times a power of ten."""
    rough = max(1.0, longest / about)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return list(range(0, math.floor(longest) + 1, step))


def paired_bars(
    rows: Sequence[Row], title: str, label_width: int = 150, *, most: float = 0.0, marks: Sequence[float] = ()
) -> str:
    """For each row a thin bar of the share before and a full one of the share after, both between 0 and 1.

    ``most`` is the share at the right end, the largest of the rows if 0. ``marks`` are shares to draw a line at, one
    for each row.
    """
    width, step = 520, 26
    most = most or max([*(max(before, after) for _, before, after in rows), *marks], default=0) or 1
    room = width - label_width - 96
    parts = []
    for place, (label, before, after) in enumerate(rows):
        top, mark = place * step, marks[place] if marks else 0.0
        hint = f"{label}: {percent(before)} before, {percent(after)} after"
        parts += [
            text(label_width - 8, top + 17, label, anchor="end"),
            bar(label_width, top + 5, room * after / most, 11, "after", hint),
            bar(label_width, top + 17, room * before / most, 4, "before", hint),
            text(label_width + room * max(before, after, mark) / most + 6, top + 16, percent(after), "value"),
        ]
        if mark:
            at = label_width + room * mark / most
            parts.append(f'<line x1="{at:.1f}" y1="{top + 2}" x2="{at:.1f}" y2="{top + 24}" class="mark"/>')
    return svg(width, step * len(rows) + 4, parts, title)


def single_bars(rows: Sequence[tuple[str, float]], title: str, style: str = "warn", width: int = 520) -> str:
    """For each row one bar of a count."""
    step, label_width = 24, 150
    most, room = max([count for _, count in rows], default=0) or 1, width - label_width - 96
    parts = []
    for place, (label, count) in enumerate(rows):
        top = place * step
        parts += [
            text(label_width - 8, top + 16, label, anchor="end"),
            bar(label_width, top + 4, room * count / most, 15, style, f"{label}: {number(count)}"),
            text(label_width + room * count / most + 6, top + 16, number(count), "value"),
        ]
    return svg(width, step * len(rows) + 4, parts, title)


def columns(rows: Sequence[Row], title: str, width: int = 520, height: int = 190) -> str:
    """For each row a wide pale column before and a narrow one after; labels below, as many as there is room for."""
    floor, most = height - 22, max([max(before, after) for _, before, after in rows], default=0) or 1
    step = (width - 8) / max(1, len(rows))
    every = -(-len(rows) // 14)
    parts = [f'<line x1="0" y1="{floor}" x2="{width}" y2="{floor}" class="axis"/>']
    for place, (label, before, after) in enumerate(rows):
        left, hint = 4 + place * step, f"{label}: {number(before)} before, {number(after)} after"
        tall, full = (floor - 14) * before / most, (floor - 14) * after / most
        parts += [
            bar(left + step * 0.08, floor - tall, step * 0.84, tall, "before", hint),
            bar(left + step * 0.24, floor - full, step * 0.52, full, "after", hint),
        ]
        if place % every == 0:
            parts.append(text(left + step / 2, height - 6, label, "tick", "middle"))
    return svg(width, height, parts, title)


def histogram(counts: Sequence[int], limit: int, title: str, width: int = 520, height: int = 190) -> str:
    """Columns for 1, 2, 3 …, several to a column where there are many; those above ``limit`` in a warning's colour.

    The first entry, of 0, is left to the words around the picture.
    """
    last = max(len(counts) - 1, limit + 6)
    bins = -(-last // 90)
    groups = [(first, sum(counts[first : first + bins])) for first in range(1, last + 1, bins)]
    floor, most, step = height - 22, max([count for _, count in groups], default=0) or 1, (width - 8) / len(groups)
    parts = [f'<line x1="0" y1="{floor}" x2="{width}" y2="{floor}" class="axis"/>']
    for place, (first, count) in enumerate(groups):
        tall = (floor - 24) * count / most
        words = f"{first}" if bins == 1 else f"{first} to {first + bins - 1}"
        style = "warn" if first > limit else "after"
        parts.append(
            bar(4 + place * step, floor - tall, max(0.5, step - 0.8), tall, style, f"{words}: {number(count)}")
        )
    for tick in round_steps(last, 8):
        parts.append(text(4 + tick / bins * step, height - 6, str(tick), "tick", "middle"))
    at = 4 + limit / bins * step
    left = at < width / 2
    parts += [
        f'<line x1="{at:.1f}" y1="8" x2="{at:.1f}" y2="{floor}" class="limit"/>',
        text(at + 5 if left else at - 5, 17, f"{limit} tokens are read", "tick", "start" if left else "end"),
    ]
    return svg(width, height, parts, title)


def bubbles(fill: Sequence[tuple[int, int, int]], title: str, side: int = 430) -> str:
    """Sizes (width, height) in their plane, each a disc whose area is its number of pictures; empty ones are dots."""
    longest = max([max(width, height) for width, height, _ in fill], default=1)
    most = max([count for *_, count in fill], default=0) or 1
    left, floor, room = 44, side - 40, side - 94

    def place(pixels: float) -> float:
        return room * pixels / longest

    parts = [
        f'<line x1="{left}" y1="{floor}" x2="{left + room + 30}" y2="{floor}" class="axis"/>',
        f'<line x1="{left}" y1="{floor}" x2="{left}" y2="{floor - room - 30}" class="axis"/>',
        f'<line x1="{left}" y1="{floor}" x2="{left + room}" y2="{floor - room}" class="grid"/>',
        text(left + room + 30, floor + 31, "width in pixels", "tick", "end"),
        text(left + 6, floor - room - 22, "height", "tick"),
    ]
    for tick in round_steps(longest, 5)[1:]:
        parts.append(text(left + place(tick), floor + 14, str(tick), "tick", "middle"))
        parts.append(text(left - 6, floor - place(tick) + 4, str(tick), "tick", "end"))
    for width, height, count in sorted(fill, key=lambda one: -one[2]):
        radius = max(1.5, 18 * (count / most) ** 0.5)
        style, words = ("after", number(count)) if count else ("empty", "no picture")
        parts.append(
            f'<circle cx="{left + place(width):.1f}" cy="{floor - place(height):.1f}" r="{radius:.1f}" class="{style}">'
            f"<title>{width} x {height}: {words}</title></circle>"
        )
    return svg(side, side, parts, title)


def kept_curve(rows: Sequence[tuple[float, float, float, int]], title: str, width: int = 520, height: int = 240) -> str:
    """(tags, measured, expected, captions): discs of the measured means on the line of the expected ones."""
    longest = max([tags for tags, *_ in rows], default=1)
    left, floor = 36, height - 26
    across, up = (width - left - 14) / longest, (floor - 14) / longest
    points = " ".join(f"{left + tags * across:.1f},{floor - expected * up:.1f}" for tags, _, expected, _ in rows)
    largest = max([count for *_, count in rows], default=1)
    parts = [
        f'<line x1="{left}" y1="{floor}" x2="{width - 14}" y2="{floor - longest * up:.1f}" class="grid"/>',
        f'<line x1="{left}" y1="{floor}" x2="{width}" y2="{floor}" class="axis"/>',
        f'<line x1="{left}" y1="{floor}" x2="{left}" y2="10" class="axis"/>',
        f'<polyline points="{points}" class="line"/>',
        text(width - 14, height - 2, "tags of the post", "tick", "end"),
        text(left + 6, 18, "tags in the caption", "tick"),
    ]
    for tags, measured, expected, count in rows:
        hint = f"{tags:g} tags: {measured:.2f} kept, {expected:.2f} expected, {count} captions"
        radius = 1.8 + 3.2 * (count / largest) ** 0.5
        parts.append(
            f'<circle cx="{left + tags * across:.1f}" cy="{floor - measured * up:.1f}" r="{radius:.1f}" class="after">'
            f"<title>{escape(hint)}</title></circle>"
        )
    for tick in round_steps(longest, 6)[1:]:
        parts.append(text(left + tick * across, floor + 13, str(tick), "tick", "middle"))
        parts.append(text(left - 5, floor - tick * up + 4, str(tick), "tick", "end"))
    return svg(width, height, parts, title)
