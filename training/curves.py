"""Curves and intervals as SVG text; colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from training.plots import svg, text

LEFT, FOOT, HEAD = 46, 24, 14  # margins in units of the picture
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A curve: its points, the class of its stroke, what it is called, and how opaque it is."""

    points: Sequence[Point]
    style: str
    name: str = ""
    opacity: float = 1.0


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within a range: steps of 1, 2 or 5 times a power of ten."""
    raw = max(high - low, 1e-12) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number at an axis: 0.05, 1.5, 250, 12k, 3e-05."""
    size = abs(value)
    if size and size < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    if size >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:.3g}"


def curves(
    lines: Sequence[Line],
    title: str,
    *,
    below: str,
    from_zero: bool = True,
    names: Callable[[float], str] = short,
    width: int = 520,
    height: int = 220,
) -> str:
    """Lines over a common horizontal axis, named by ``below``; the vertical one begins at 0 or at the least value."""
    shown = [line for line in lines if line.points]
    if not shown:
        return svg(width, 40, [text(4, 24, "nothing measured", "tick")], title)
    place = _Scale.of([point for line in shown for point in line.points], from_zero, width, height)
    parts = [*place.grid(names), text(width - 4, height - 4, below, "tick", "end")]
    for line in shown:
        parts += _stroke(line, place)
    named = [line for line in shown if line.name]
    for number, line in enumerate(named if len(named) < 4 else ()):
        at = width - 6 - 96 * (len(named) - 1 - number)
        parts.append(text(at, 10, line.name, f"key {line.style}", "end"))
    return svg(width, height, parts, title)


def _stroke(line: Line, place: _Scale) -> list[str]:
    points = " ".join(f"{place.x(x):.1f},{place.y(y):.1f}" for x, y in line.points)
    hint = f"<title>{escape(line.name)}</title>" if line.name else ""
    fade = f' stroke-opacity="{line.opacity:.2f}"' if line.opacity < 1 else ""
    if len(line.points) == 1:
        x, y = line.points[0]
        return [f'<circle cx="{place.x(x):.1f}" cy="{place.y(y):.1f}" r="2.5" class="dot {line.style}">{hint}</circle>']
    return [f'<polyline points="{points}" class="curve {line.style}"{fade}>{hint}</polyline>']


def intervals(
    rows: Sequence[tuple[str, float | None, float | None, float | None]],
    title: str,
    width: int = 520,
    height: int = 220,
) -> str:
    """(label, value, low, high) from left to right: discs with whiskers; those without a value are gaps."""
    known = [(place, *row[1:]) for place, row in enumerate(rows) if row[1] is not None]
    if not known:
        return svg(width, 40, [text(4, 24, "no votes yet", "tick")], title)
    ends = [(float(place), end) for place, *row in known for end in row if end is not None]
    scale = _Scale.of([(-0.5, ends[0][1]), (len(rows) - 0.5, ends[0][1]), *ends], False, width, height)
    parts = scale.grid(short, across=False)
    for place, value, low, high in known:
        x, y = scale.x(place), scale.y(value or 0.0)
        if low is not None and high is not None:
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(low):.1f}" y2="{scale.y(high):.1f}" class="curve thin"/>'
            )
        hint = f"{rows[place][0]}: {value:.2f}" + (f" ({low:.2f} to {high:.2f})" if low is not None else "")
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="after"><title>{escape(hint)}</title></circle>')
    every = -(-len(rows) // 12)
    parts += [
        text(scale.x(place), height - 6, label, "tick", "middle")
        for place, (label, *_) in enumerate(rows)
        if place % every == 0
    ]
    return svg(width, height, parts, title)


@dataclass(frozen=True)
class _Scale:
    """From numbers to places on the picture."""

    left: float
    right: float
    low: float
    high: float
    width: int
    height: int

    @classmethod
    def of(cls, points: Sequence[Point], from_zero: bool, width: int, height: int) -> _Scale:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        low, high = (min(0.0, *ys) if from_zero else min(ys)), max(ys)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        return cls(min(xs), max(xs), low if from_zero and low == 0 else low - room, high + room, width, height)

    def x(self, value: float) -> float:
        return LEFT + (value - self.left) / (self.right - self.left or 1.0) * (self.width - LEFT - 8)

    def y(self, value: float) -> float:
        return self.height - FOOT - (value - self.low) / (self.high - self.low) * (self.height - FOOT - HEAD)

    def grid(self, names: Callable[[float], str], across: bool = True) -> list[str]:
        floor = self.height - FOOT
        parts = [f'<line x1="{LEFT}" y1="{floor}" x2="{self.width}" y2="{floor}" class="axis"/>']
        for tick in ticks(self.low, self.high):
            y = self.y(tick)
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{self.width}" y2="{y:.1f}" class="grid"/>')
            parts.append(text(LEFT - 5, y + 4, names(tick), "tick", "end"))
        if across:
            parts += [text(self.x(tick), floor + 13, short(tick), "tick", "middle")
                      for tick in ticks(self.left, self.right) if self.x(tick) < self.width - 90]  # fmt: skip
        return parts
