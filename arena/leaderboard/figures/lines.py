"""Lines over a horizontal axis: ratings over votes, each named at its end or, in narrow pictures, below."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.leaderboard.figures.svg import (
    NARROW,
    SERIES,
    SMALL,
    Canvas,
    Scale,
    margin_of,
    scale,
    shortened,
    text_width,
)

HEIGHT, TOP, BELOW, EDGE = 400.0, 14.0, 44.0, 12.0
LABEL_SHARE = 0.3
LEAST_APART = 16.0


@dataclass(frozen=True)
class Series:
    """One line through (x, y); `named` ones have a colour and their name, the others stay in the background."""

    label: str
    points: Sequence[tuple[float, float]]
    named: bool


def draw(series: Sequence[Series], axis_label: str, *, width: float) -> Canvas:
    """All lines on one pair of axes; at most as many named ones as there are colours."""
    narrow = width <= NARROW
    named = [one for one in series if one.named][: len(SERIES)]
    numbers = [y for one in series for _, y in one.points]
    label = 0.0 if narrow else min(max(text_width(one.label, SMALL) for one in named), LABEL_SHARE * width) + 14
    bottom = TOP + HEIGHT * (0.62 if narrow else 0.8)
    upward = scale(numbers, bottom, TOP + 6, gap=50)
    left = EDGE + margin_of(upward)
    across = scale(
        [0.0, *(x for one in series for x, _ in one.points)], left, width - EDGE - 8 - label, gap=80, tight=True
    )
    legend = 22.0 * len(named) if narrow else 0.0
    canvas = Canvas(width, bottom + BELOW + legend)
    canvas.upward(upward, left, across.end)
    _below(canvas, across, bottom, axis_label)
    for one in series:
        if one not in named:
            canvas.curve([(across(x), upward(y)) for x, y in one.points], "other", one.label)
    for at, one in enumerate(named):
        canvas.curve([(across(x), upward(y)) for x, y in one.points], f"line{at}", one.label)
    if narrow:
        _legend(canvas, named, bottom + BELOW)
    else:
        _ends(canvas, named, across, upward, label - 14)
    return canvas


def _below(canvas: Canvas, across: Scale, bottom: float, label: str) -> None:
    for tick in across.ticks:
        canvas.tick(across(tick), bottom + 18, across.spell(tick))
    canvas.caption(bottom + 24, label)


def _legend(canvas: Canvas, named: Sequence[Series], top: float) -> None:
    for at, one in enumerate(named):
        y = top + 22 * at + 8
        canvas.line(EDGE, y, EDGE + 22, y, f"line{at}")
        canvas.text(EDGE + 30, y + 4, shortened(one.label, canvas.width - 2 * EDGE - 30, SMALL), size=SMALL,
                    full=one.label)  # fmt: skip


def _ends(canvas: Canvas, named: Sequence[Series], across: Scale, upward: Scale, room: float) -> None:
    """Names right of the lines' ends, moved apart where they would touch, with a thin line to each that was moved."""
    wanted = [upward(one.points[-1][1]) for one in named]
    for at, y in enumerate(spread(wanted, LEAST_APART, TOP + 6, max(upward.start, TOP + LEAST_APART * len(named)))):
        x = across(named[at].points[-1][0])
        canvas.line(x + 2, wanted[at], across.end + 12, y, "thin")
        text = shortened(named[at].label, room, SMALL)
        canvas.text(across.end + 14, y + 4, text, f"name{at}", size=SMALL, full=named[at].label)


def spread(wanted: Sequence[float], apart: float, least: float, most: float) -> list[float]:
    """The numbers moved as little as it takes for all to be `apart`, within least to most where they fit."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed: list[float] = []
    for at in order:
        placed.append(max(wanted[at], placed[-1] + apart if placed else least))
    ceiling = most
    for rank in range(len(placed) - 1, -1, -1):
        placed[rank] = min(placed[rank], ceiling)
        ceiling = placed[rank] - apart
    return [placed[order.index(at)] for at in range(len(wanted))]
