"""What every figure is drawn with: a canvas of SVG elements, the width of text, scales with round ticks.

Colours stand as attributes, so that a downloaded file looks right by itself; the page's style sheet overrides them by
class, in light and dark. No style element is used: the site's Content-Security-Policy would refuse it. What is embedded
as an image, which style sheets do not reach, is drawn dark (`darkened`) for dark pages.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import combining, east_asian_width
from xml.sax.saxutils import escape, quoteattr

WIDE, NARROW = 720.0, 336.0
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', 'Noto Sans CJK JP', 'Noto Sans CJK KR', sans-serif"
SIZE, SMALL = 13.0, 12.0
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
INK, MUTED, LINE, GROUND, ACCENT, LOSS = "#1d1a2b", "#5f5a73", "#e2dfec", "#ffffff", "#5140cf", "#b35900"
SERIES = ("#5140cf", "#b35900", "#14734a", "#b3261e", "#1f6fb2", "#8a3a8f", "#6b6b00", "#00737a")
DARK = {INK: "#efedf7", MUTED: "#aaa4c0", LINE: "#353045", GROUND: "#1e1b29", LOSS: "#ffa64d"}
DARK |= dict(
    zip(SERIES, ("#a99bff", "#ffa64d", "#6fd3a4", "#ff8a80", "#7fc4ff", "#e79bea", "#d6d65c", "#5fd6dd"), strict=True)
)
LOOKS: dict[str, dict[str, str]] = {
    "ground": {"fill": GROUND},
    "label": {"fill": INK},
    "faint": {"fill": MUTED},
    "halo": {"fill": INK, "stroke": GROUND, "stroke-width": "3", "stroke-linejoin": "round", "paint-order": "stroke"},
    "grid": {"stroke": LINE, "stroke-width": "1"},
    "axis": {"stroke": MUTED, "stroke-width": "1"},
    "mark": {"stroke": INK, "stroke-width": "2"},
    "even": {"stroke": MUTED, "stroke-width": "1.5", "stroke-dasharray": "4 3"},
    "reach": {"stroke": ACCENT, "stroke-width": "4", "stroke-linecap": "round", "stroke-opacity": ".4"},
    "thin": {"stroke": MUTED, "stroke-width": "1", "stroke-opacity": ".55"},
    "dot": {"fill": ACCENT},
    "hollow": {"fill": GROUND, "stroke": MUTED, "stroke-width": "2"},
    "hollow-reach": {"stroke": MUTED, "stroke-width": "3", "stroke-linecap": "round", "stroke-opacity": ".4"},
    "trend": {"fill": "none", "stroke": ACCENT, "stroke-width": "2", "stroke-linejoin": "round"},
    "other": {"fill": "none", "stroke": MUTED, "stroke-width": "1", "stroke-opacity": ".35"},
    "win": {"fill": ACCENT},
    "loss": {"fill": LOSS},
    "self": {"fill": LINE},
    **{
        f"line{at}": {"fill": "none", "stroke": colour, "stroke-width": "2", "stroke-linejoin": "round"}
        for at, colour in enumerate(SERIES)
    },
    **{f"name{at}": {"fill": colour} for at, colour in enumerate(SERIES)},
}


def character_width(letter: str) -> float:
    """At most so many em in the sans-serif fonts in use; DejaVu Sans and Verdana are the widest."""
    if combining(letter):
        return 0.0
    if east_asian_width(letter) in "WF" or ord(letter) > 0x1F000:
        return 1.1
    if letter in " .,:;|!'ijlIft[]()\N{NARROW NO-BREAK SPACE}":
        return 0.42
    if letter in "mwMW@%" or ord(letter) > 0x2000:
        return 1.0
    return 0.78 if letter.isupper() else 0.66


def text_width(text: str, size: float = SIZE) -> float:
    """How wide a text is at most, in pixels."""
    return size * sum(map(character_width, text))


def shortened(text: str, width: float, size: float = SIZE) -> str:
    """The text, or its beginning and end around an ellipsis: versions and epochs stand at the end of names."""
    if text_width(text, size) <= width:
        return text
    kept = len(text) - 1
    while kept > 1:
        head = (kept + 1) // 2
        tried = text[:head].rstrip() + ELLIPSIS + text[len(text) - (kept - head) :].lstrip()
        if text_width(tried, size) <= width:
            return tried
        kept -= 1
    return text[:1] + ELLIPSIS


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """The text in lines; languages without spaces are broken anywhere."""
    lines, line = [], ""
    for word in _words(text):
        if line and text_width((line + word).rstrip(), size) > width:
            lines.append(line.rstrip())
            line = ""
        line += word
    return [*lines, line.rstrip()] if line.strip() else lines


def _words(text: str) -> list[str]:
    words = [""]
    for letter in text:
        words[-1] += letter
        if letter == " " or east_asian_width(letter) in "WF":
            words.append("")
    return words


@dataclass(frozen=True)
class Scale:
    """Maps numbers from `least` to `most` linearly to pixels from `start` to `end`; round `ticks` lie within."""

    least: float
    most: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, number: float) -> float:
        """The pixel of a number, clipped to the scale."""
        share = (number - self.least) / (self.most - self.least)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def spell(self, number: float) -> str:
        """A tick's text, with as many digits as the step between ticks needs."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return spelled(number, digits)


def spelled(number: float, digits: int) -> str:
    """A number with so many digits, grouped by thousands, with a real minus sign."""
    text = f"{number:,.{digits}f}".replace("-", "\N{MINUS SIGN}").replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.removeprefix("\N{MINUS SIGN}") if not float(f"{number:.{digits}f}") else text


def scale(numbers: Sequence[float], start: float, end: float, *, gap: float = 70.0, tight: bool = False) -> Scale:
    """A scale around the numbers with a tick about every `gap` pixels; of one number alone, one unit to each side.

    It ends with ticks, or, if `tight`, with the numbers themselves.
    """
    least, most = min(numbers), max(numbers)
    if most - least < 1e-9 * max(1.0, abs(most)):
        least, most = least - 1.0, most + 1.0
    step = round_step((most - least) / max(2.0, abs(end - start) / gap))
    low, high = math.floor(least / step + 1e-9) * step, math.ceil(most / step - 1e-9) * step
    ticks = tuple(round(low + at * step, 12) for at in range(round((high - low) / step) + 1))
    if tight:
        return Scale(least, most, start, end, tuple(tick for tick in ticks if least <= tick <= most))
    return Scale(low, high, start, end, ticks)


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least * (1 - 1e-9))


@dataclass
class Canvas:
    """Elements of one picture, in pixels from the top left corner."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, text: str, look: str = "label", *, anchor: str = "start", size: float = SIZE,
        bold: bool = False, full: str = "",
    ) -> None:  # fmt: skip
        """A line of text on the baseline y; `full` is what a short text stands for."""
        more = ' font-weight="600"' if bold else ""
        title = f"<title>{escape(full)}</title>" if full and full != text else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}"{more}{_look(look)}>'
            f"{title}{escape(text)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, look: str) -> None:
        """A straight line."""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_look(look)}/>')

    def circle(self, x: float, y: float, radius: float, look: str, title: str = "") -> None:
        """A dot, with what it says under the pointer."""
        said = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{_look(look)}>{said}</circle>')

    def rect(
        self, x: float, y: float, width: float, height: float, look: str, *, opacity: float = 1.0, title: str = ""
    ) -> None:
        """A filled rectangle."""
        more = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
        said = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{more}{_look(look)}>{said}</rect>'
        )

    def curve(self, points: Sequence[tuple[float, float]], look: str, title: str = "") -> None:
        """A line through points."""
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        said = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(f'<path d="{path}"{_look(look)}>{said}</path>')

    def across(self, axis: Scale, top: float, bottom: float) -> None:
        """A horizontal axis: lines of the grid from `top` to `bottom`, numbers below."""
        for tick in axis.ticks:
            self.line(axis(tick), top, axis(tick), bottom, "grid")
            self.tick(axis(tick), bottom + 16, axis.spell(tick))

    def tick(self, x: float, y: float, text: str) -> None:
        """A number below its place on a horizontal axis, pushed inside at the edges."""
        half = text_width(text, SMALL) / 2 + 2
        self.text(min(max(x, half), self.width - half), y, text, "faint", anchor="middle", size=SMALL)

    def caption(self, top: float, text: str, *, anchor: str = "middle") -> None:
        """What the numbers of a horizontal axis are, in as many lines as it takes, where the picture ends."""
        x = self.width / 2 if anchor == "middle" else 12.0
        for line in wrapped(text, self.width - 24, SMALL):
            self.text(x, top + 12, line, "faint", anchor=anchor, size=SMALL)
            top += 17
        self.height = max(self.height, top + 4)

    def upward(self, axis: Scale, left: float, right: float) -> None:
        """A vertical axis: lines of the grid from `left` to `right`, numbers on the left."""
        for tick in axis.ticks:
            self.line(left, axis(tick), right, axis(tick), "grid")
            self.text(left - 6, axis(tick) + 4, axis.spell(tick), "faint", anchor="end", size=SMALL)

    def svg(self, title: str, description: str, name: str) -> str:
        """The whole picture; `name` keeps the ids of several pictures of a page apart."""
        size = f'width="{self.width:.0f}" height="{self.height:.0f}" viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="{name}-title {name}-desc" '
            f"font-family={quoteattr(FONT)}>"
            f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
            f'<rect width="100%" height="100%"{_look("ground")}/>{"".join(self.parts)}</svg>'
        )


def margin_of(axis: Scale) -> float:
    """How far the numbers of a vertical axis reach to the left."""
    return max(text_width(axis.spell(tick), SMALL) for tick in axis.ticks) + 10


def darkened(svg: str) -> str:
    """The picture in the colours of dark pages, which are those of figures.css."""
    for light, dark in DARK.items():
        svg = svg.replace(f'="{light}"', f'="{dark}"')
    return svg


def message(text: str, width: float) -> Canvas:
    """A picture that says why there is none."""
    lines = wrapped(text, width - 32)
    canvas = Canvas(width, 32 + 20 * len(lines))
    for at, line in enumerate(lines):
        canvas.text(16, 30 + 20 * at, line, "faint")
    return canvas


def _look(look: str) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in LOOKS[look].items())
    return f' class="{look}"{attributes}'
