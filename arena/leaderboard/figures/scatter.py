"""People against a metric: a point for each contestant, both better to the top right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from statistics import fmean

from arena.leaderboard.figures.svg import NARROW, SMALL, Canvas, Scale, margin_of, scale, shortened, text_width

TOP, BELOW, EDGE = 28.0, 46.0, 12.0
LABEL_WIDTH = 150.0
# Points beyond which intervals would hide each other; the table has them.
CROWD = 40
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One contestant: `x` by the metric and `y` by people, with their intervals where known."""

    label: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    sentence: str = ""


def draw(points: Sequence[Point], across_label: str, up_label: str, *, width: float, falling: bool = False) -> Canvas:
    """The points with intervals as thin lines; names only where they have room. `falling`: less is better across, and
    the axis runs from right to left."""
    crowded = len(points) > CROWD
    height = 300.0 if width <= NARROW else 420.0
    bottom = TOP + height
    upward = scale(_extent([(one.y, one.y_low, one.y_high) for one in points], crowded), bottom, TOP + 8, gap=50)
    left, right = EDGE + margin_of(upward), width - EDGE - 10
    span = (right, left + 10) if falling else (left + 10, right)
    across = scale(_extent([(one.x, one.x_low, one.x_high) for one in points], crowded), *span, gap=80)
    canvas = Canvas(width, bottom + BELOW)
    canvas.upward(upward, left, width - EDGE)
    canvas.across(across, TOP, bottom)
    canvas.text(EDGE, 16, shortened(up_label, width - 2 * EDGE, SMALL), "faint", size=SMALL, full=up_label)
    canvas.caption(bottom + 24, across_label)
    for one in [] if crowded else points:
        if one.x_low is not None and one.x_high is not None:
            canvas.line(across(one.x_low), upward(one.y), across(one.x_high), upward(one.y), "thin")
        if one.y_low is not None and one.y_high is not None:
            canvas.line(across(one.x), upward(one.y_low), across(one.x), upward(one.y_high), "thin")
    for one in points:
        canvas.circle(across(one.x), upward(one.y), 3 if crowded else 5, "dot", one.sentence)
    _names(canvas, points, across, upward, (left, TOP, width - 4, bottom))
    return canvas


def _extent(numbers: Sequence[tuple[float, float | None, float | None]], crowded: bool) -> list[float]:
    """What an axis must hold: the middles, and their intervals where those are drawn."""
    return [one for three in numbers for one in three[: 1 if crowded else 3] if one is not None]


def _names(canvas: Canvas, points: Sequence[Point], across: Scale, upward: Scale, frame: Box) -> None:
    """Each name beside its point, where it meets neither a point nor a name that stands already; outermost first."""
    middle = fmean(across(one.x) for one in points), fmean(upward(one.y) for one in points)
    outermost = sorted(points, key=lambda one: -hypot(across(one.x) - middle[0], upward(one.y) - middle[1]))
    taken = [(across(one.x) - 6, upward(one.y) - 6, across(one.x) + 6, upward(one.y) + 6) for one in points]
    for one in outermost:
        text = shortened(one.label, LABEL_WIDTH, SMALL)
        for box in _places(across(one.x), upward(one.y), text_width(text, SMALL)):
            inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not any(_meet(box, other) for other in taken):
                canvas.text(box[0], box[3] - 4, text, "halo", size=SMALL, full=one.label)
                taken.append(box)
                break


def _places(x: float, y: float, wide: float) -> Iterator[Box]:
    """Right, left, above and below of a point."""
    for left, top in ((x + 9, y - 8), (x - 9 - wide, y - 8), (x - wide / 2, y - 24), (x - wide / 2, y + 8)):
        yield left, top, left + wide, top + 16


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
