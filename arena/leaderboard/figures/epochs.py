"""The trend over a run's epochs: each one's gain on the first, with intervals that hold all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.leaderboard.figures.svg import (
    NARROW,
    SMALL,
    Canvas,
    Scale,
    margin_of,
    round_step,
    scale,
    shortened,
    text_width,
)

TOP, HEIGHT, BELOW, EDGE = 28.0, 300.0, 44.0, 12.0
# Pixels from one epoch to the next from which dots and intervals are large.
ROOMY = 12.0


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number and what stands below it, its gain with the interval, and how it did against the epoch
    before: "better", "worse", "undecided", or "" for the first."""

    number: int
    label: str
    gain: float
    low: float
    high: float
    step: str
    sentence: str


SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}"}


def draw(epochs: Sequence[Epoch], axis_label: str, up_label: str, *, width: float) -> Canvas:
    """Epochs from left to right; at least two."""
    height = HEIGHT * (0.75 if width <= NARROW else 1.0)
    bottom = TOP + height
    upward = scale([0.0, *(number for one in epochs for number in (one.low, one.high))], bottom, TOP + 8, gap=46)
    left = EDGE + margin_of(upward)
    canvas = Canvas(width, bottom + BELOW)
    canvas.text(EDGE, 16, shortened(up_label, width - 2 * EDGE, SMALL), "faint", size=SMALL, full=up_label)
    canvas.upward(upward, left, width - EDGE)
    canvas.line(left, upward(0.0), width - EDGE, upward(0.0), "axis")
    across = _across(epochs, left + 22, width - EDGE - 22)
    _numbers(canvas, epochs, across, bottom)
    canvas.caption(bottom + 24, axis_label)
    apart = (across.end - across.start) / (epochs[-1].number - epochs[0].number or 1)
    for one in epochs:
        if one.high > one.low:
            look = "reach" if apart >= ROOMY else "thin"
            canvas.line(across(one.number), upward(one.low), across(one.number), upward(one.high), look)
    canvas.curve([(across(one.number), upward(one.gain)) for one in epochs], "trend")
    for one in epochs:
        canvas.circle(across(one.number), upward(one.gain), 5 if apart >= ROOMY else 2.5, "dot", one.sentence)
        if one.step in SIGNS:
            canvas.text(across(one.number), upward(one.high) - 6, SIGNS[one.step], anchor="middle", size=SMALL)
    return canvas


def _across(epochs: Sequence[Epoch], start: float, end: float) -> Scale:
    first, last = epochs[0].number, epochs[-1].number
    return Scale(first, last if last > first else first + 1, start, end, ())


def _numbers(canvas: Canvas, epochs: Sequence[Epoch], across: Scale, bottom: float) -> None:
    """What stands below the epochs: of the first, and of those at a round distance that have room."""
    wide = text_width(str(epochs[-1].number), SMALL) + 6
    each = (across.end - across.start) / (across.most - across.least)
    step = max(1, round(round_step(wide / each)))
    free = 0.0
    for at, one in enumerate(epochs):
        half = text_width(one.label, SMALL) / 2
        if (at == 0 or one.number % step == 0) and across(one.number) - half >= free:
            canvas.text(across(one.number), bottom + 18, one.label, "faint", anchor="middle", size=SMALL)
            free = across(one.number) + half + 3
