"""Dots with their intervals, one row each: ratings by contestant (the paper's figures 5 to 9), and shares by seat."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.leaderboard.figures.svg import (
    NARROW,
    SMALL,
    Canvas,
    Scale,
    scale,
    shortened,
    text_width,
)

WIDE_ROW, NARROW_ROW = 28.0, 44.0
TOP, EDGE = 14.0, 12.0
LABEL_SHARE = 0.38
MANY = 24


@dataclass(frozen=True)
class Interval:
    """One row. `dot` is None where there is no number; `instead` then says why. `low` to `high` is its interval.

    `mark` is a second number on the same axis, `spelled` what stands at the end of the row. `hollow` ones are
    provisional.
    """

    label: str
    dot: float | None = None
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    spelled: str = ""
    instead: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Guide:
    """A labelled line at a number that all rows are read against."""

    at: float
    label: str


def draw(rows: Sequence[Interval], axis_label: str, *, width: float, guides: Sequence[Guide] = ()) -> Canvas:
    """The rows from top to bottom; at least one has a number. Narrow pictures have the label above its interval."""
    narrow = width <= NARROW
    height = NARROW_ROW if narrow else WIDE_ROW
    label = 0.0 if narrow else _label_width(rows, width)
    value = 0.0 if narrow else max(text_width(row.spelled) for row in rows) + 10
    top = TOP + (18.0 if guides else 0.0)
    bottom = top + height * len(rows)
    canvas = Canvas(width, bottom)
    axis = scale(_numbers(rows, guides), EDGE + label + 14, width - EDGE - value - 14, gap=90)
    canvas.across(axis, top, bottom)
    canvas.caption(bottom + 22, axis_label)
    if len(rows) > MANY and not guides:
        _numbers_above(canvas, axis)
    for guide in guides:
        canvas.line(axis(guide.at), top, axis(guide.at), bottom, "even")
    _name_guides(canvas, axis, guides, top)
    for at, row in enumerate(rows):
        middle = top + height * at + (height - 12 if narrow else height / 2)
        if narrow:
            room = width - 2 * EDGE - text_width(row.spelled) - 10
            canvas.text(EDGE, middle - 14, shortened(row.label, room), "halo", full=row.label)
            canvas.text(width - EDGE, middle - 14, row.spelled, "halo", anchor="end", bold=True)
        else:
            canvas.text(EDGE, middle + 4.5, shortened(row.label, label), full=row.label)
            canvas.text(width - EDGE, middle + 4.5, row.spelled, anchor="end", bold=True)
        _interval(canvas, axis, row, middle)
    return canvas


def _label_width(rows: Sequence[Interval], width: float) -> float:
    return min(max(text_width(row.label) for row in rows), LABEL_SHARE * width)


def _numbers(rows: Sequence[Interval], guides: Sequence[Guide]) -> list[float]:
    """All numbers that the axis must hold: every dot; what is around it of provisional ones only where all are."""
    settled = [row for row in rows if row.dot is not None and not row.hollow]
    taken = settled or rows
    found = [number for row in taken for number in (row.low, row.high, row.mark) if number is not None]
    return [*found, *(row.dot for row in rows if row.dot is not None), *(guide.at for guide in guides)]


def _interval(canvas: Canvas, axis: Scale, row: Interval, y: float) -> None:
    if row.dot is None:
        canvas.text(axis.start, y + 4.5, shortened(row.instead, axis.end - axis.start, SMALL), "faint", size=SMALL)
        return
    if row.low is not None and row.high is not None:
        canvas.line(axis(row.low), y, axis(row.high), y, "hollow-reach" if row.hollow else "reach")
    if row.mark is not None and axis.least <= row.mark <= axis.most:
        canvas.line(axis(row.mark), y - 7, axis(row.mark), y + 7, "mark")
    canvas.circle(axis(row.dot), y, 5, "hollow" if row.hollow else "dot", f"{row.label}: {row.spelled}")


def _numbers_above(canvas: Canvas, axis: Scale) -> None:
    for tick in axis.ticks:
        canvas.tick(axis(tick), TOP - 3, axis.spell(tick))


def _name_guides(canvas: Canvas, axis: Scale, guides: Sequence[Guide], top: float) -> None:
    """The names above their lines; one that would run into its neighbour, or over the edge, is moved."""
    free = 4.0
    for guide in sorted(guides, key=lambda guide: axis(guide.at)):
        wide = text_width(guide.label, SMALL)
        left = min(max(axis(guide.at) - wide / 2, free), canvas.width - 4 - wide)
        if left >= free:
            canvas.text(left, top - 6, guide.label, "faint", size=SMALL)
            free = left + wide + 10
