"""The win matrix: how often the row was placed before the column."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.leaderboard.figures.svg import NARROW, SMALL, Canvas, shortened, text_width

EDGE, TOP, LEGEND = 12.0, 30.0, 46.0
LABEL_SHARE = 0.34
LEAST_CELL, MOST_CELL, SPELLED_CELL = 7.0, 46.0, 25.0
STRONGEST = 0.55
# Contestants whose names still fit beside the cells of a narrow picture.
FEW = 12


@dataclass(frozen=True)
class Meeting:
    """How a row did against a column: comparisons won, drawn and lost."""

    won: int
    drawn: int
    lost: int

    @property
    def share(self) -> float | None:
        """The share won, a draw being half a win; None where they never met."""
        met = self.won + self.drawn + self.lost
        return (self.won + self.drawn / 2) / met if met else None


def draw(
    names: Sequence[str], meetings: Sequence[Sequence[Meeting]], sentences: Sequence[Sequence[str]],
    captions: tuple[str, str], *, width: float,
) -> Canvas:  # fmt: skip
    """Rows and columns in the same order, numbered; `sentences` say each cell in words, `captions` both colours."""
    n = len(names)
    numbered = [f"{at}. {name}" for at, name in enumerate(names, 1)]
    label = min(max(text_width(name, SMALL) for name in numbered), LABEL_SHARE * width)
    below: list[str] = []
    if width <= NARROW and n > FEW:
        label, below = text_width(f"{n}.", SMALL), numbered
        numbered = [f"{at}." for at in range(1, n + 1)]
    left = EDGE + label + 8
    cell = min(max((width - left - EDGE) / n, LEAST_CELL), MOST_CELL)
    size = SMALL if cell >= SPELLED_CELL else min(SMALL, cell)
    canvas = Canvas(max(width, left + cell * n + EDGE), TOP + cell * n + LEGEND)
    every = -(-text_width(str(n), size) // cell)
    for at, name in enumerate(numbered):
        middle = TOP + cell * (at + 0.5)
        if cell >= SMALL or at % every == 0:
            canvas.text(EDGE + label, middle + size / 3, shortened(name, label, size), anchor="end", size=size,
                        full=names[at])  # fmt: skip
        if at % every == 0:
            canvas.text(left + cell * (at + 0.5), TOP - 8, str(at + 1), "faint", anchor="middle", size=size)
        for column in range(n):
            _cell(canvas, meetings[at][column], sentences[at][column] if sentences else "", at == column,
                  (left + cell * column, TOP + cell * at, cell))  # fmt: skip
    _legend(canvas, captions, left, TOP + cell * n + 12)
    for name in below:
        canvas.caption(canvas.height, shortened(name, width - 2 * EDGE, SMALL), anchor="start")
    return canvas


def _cell(canvas: Canvas, meeting: Meeting, sentence: str, own: bool, place: tuple[float, float, float]) -> None:
    x, y, cell = place
    gap = 1.0 if cell > 10 else 0.0
    share = meeting.share
    if own or share is None:
        canvas.rect(x, y, cell - gap, cell - gap, "self", opacity=1.0 if own else 0.35, title=sentence)
        return
    opacity = 0.05 + (STRONGEST - 0.05) * abs(share - 0.5) * 2
    canvas.rect(x, y, cell - gap, cell - gap, "win" if share >= 0.5 else "loss", opacity=opacity, title=sentence)
    if cell >= SPELLED_CELL:
        canvas.text(x + cell / 2, y + cell / 2 + 4, f"{100 * share:.0f}", anchor="middle", size=min(SMALL, cell / 2.2))


def _legend(canvas: Canvas, captions: tuple[str, str], left: float, y: float) -> None:
    x = min(left, EDGE + 4)
    for look, caption in zip(("win", "loss"), captions, strict=True):
        canvas.rect(x, y, 12, 12, look, opacity=STRONGEST)
        canvas.text(x + 18, y + 10.5, caption, "faint", size=SMALL)
        x += 18 + text_width(caption, SMALL) + 20
