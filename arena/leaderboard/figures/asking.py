"""Which figure is asked for, and what one is: a picture of any width, and the tables behind it."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO

from arena.leaderboard.figures.svg import WIDE, Canvas, message

Cell = str | int | float | bool | None
UNITS = {"elo": 0, "elo-twa": 0, "joint": 0, "trueskill": 1, "winrate": 1}


@dataclass(frozen=True)
class Ask:
    """A kind of figure, on the votes of a board. `metric`, `run` and the two epochs only matter to some kinds."""

    kind: str
    metric: str = ""
    poll: str = ""
    population: str = "people"
    cut: str = ""
    run: str = ""
    earlier: str = ""
    later: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its name in files, what stands above it on the page, and with how many digits numbers are shown.

    `words` says how the page spells texts that files have in English.
    """

    name: str
    title: str
    digits: int = 0
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows behind a picture, in the order shown; on the page numbers are rounded, in files they are whole."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def as_csv(self) -> str:
        """A line for each row under the names of the columns."""
        lines = StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows(self.rows)
        return lines.getvalue()

    def as_records(self) -> list[dict[str, Cell]]:
        """The rows as JSON-ready objects."""
        return [dict(zip((column.name for column in self.columns), row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A picture and what it says.

    `draw` makes it at a width in pixels; where there is nothing to draw, `state` is not "ok" and `message` says why.
    `votes` were counted; `behind` votes of the log are not in it yet, and `waiting` says that a worker is to make it.
    """

    kind: str
    title: str
    description: str
    draw: Callable[[float], Canvas] | None
    tables: Sequence[Table] = ()
    state: str = "ok"
    message: str = ""
    notes: Sequence[str] = ()
    votes: int | None = None
    behind: int = 0
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def waiting(self) -> bool:
        """Whether it will be there soon, by itself."""
        return self.state == "unknown"

    def svg(self, width: float = WIDE, name: str = "figure") -> str:
        """The picture as SVG; where there is none, the reason."""
        canvas = message(self.message, width) if self.draw is None else self.draw(width)
        return canvas.svg(self.title, self.description, f"{name}-{width:.0f}")
