"""What the page draws of a board: bars on one axis, how an epoch did against the one before, and the numbers as text.

Texts are made here and not in the template: tags and filters for each of them were most of a large page's time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from arena.leaderboard.printing import ranks
from arena.leaderboard.rows import Row

MARGIN = 4.0


@dataclass(frozen=True)
class Bar:
    """One row's drawing, in percent of the width: the dot, and both ends of the interval around it."""

    dot: float
    left: float
    right: float


@dataclass(frozen=True)
class Entry:
    """A row with its bar (None without numbers), its numbers as texts (empty where there are none), and its verdict.

    `ranks` spells the ranks that the row may have, `best` its probability of being the best; `epoch`, `parent`,
    `earlier` and `shown` name its epoch, the checkpoint before it, the epoch that the gain is on, and its exposure.
    `verdict` is "up" or "down" where the gain is beyond its 95 % error, "unsure" where it is not or has none.
    """

    row: Row
    bar: Bar | None
    ranks: str
    best: str
    gain: str
    verdict: str
    value: str
    average: str
    interval: str
    error: str
    epoch: str
    parent: str
    earlier: str
    shown: str


@dataclass(frozen=True)
class Chart:
    """The axis, in the board's units (None while nobody has a number), and the entries on it."""

    least: float | None
    most: float | None
    entries: list[Entry]


def chart(rows: Sequence[Row], digits: int = 1, *, lower_is_better: bool = False) -> Chart:
    """All rows on one axis, which provisional ones have no say in; values and gains with so many digits."""
    spans = [_span(row) for row in rows]
    settled = [span for span, row in zip(spans, rows, strict=True) if span is not None and not row.provisional]
    known = settled or [span for span in spans if span is not None]
    least = min((low for low, _, _ in known), default=None)
    most = max((high for _, _, high in known), default=None)
    entries = []
    for row, span in zip(rows, spans, strict=True):
        bar = None if span is None or least is None or most is None else _bar(span, least, most)
        spelt = ranks(row).replace("-", "\N{EN DASH}")
        entries.append(
            Entry(
                row=row,
                bar=bar,
                ranks=spelt,
                best=_best(row),
                gain=_gain(row, digits),
                verdict=_verdict(row, lower_is_better),
                value=_number(row.value, digits),
                average=_number(row.average, 0),
                interval="" if lower_is_better and row.low is None else _interval(row, digits),
                error=_number(row.change_error, digits),
                epoch=_("epoch %(epoch)s") % {"epoch": row.epoch},
                parent=_("from %(parent)s") % {"parent": row.lineage[-1]} if row.lineage else "",
                earlier="" if row.previous_epoch is None else _("on epoch %(epoch)s") % {"epoch": row.previous_epoch},
                shown=_("shown %(n)s\N{MULTIPLICATION SIGN}") % {"n": row.exposure},
            )
        )
    return Chart(least, most, entries)


def _number(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:z.{digits}f}"


def _interval(row: Row, digits: int) -> str:
    """From where to where with 95 %; around mu where the value is another number."""
    if row.low is None:
        return _("not measured yet")
    if row.mu is None:
        return _("%(low)s to %(high)s") % {"low": _number(row.low, digits), "high": _number(row.high, digits)}
    numbers = {name: _number(getattr(row, name), 1) for name in ("mu", "low", "high")}
    return _("%(mu)s (%(low)s to %(high)s)") % numbers


def _span(row: Row) -> tuple[float, float, float] | None:
    """(low, middle, high): the 95 % interval around mu or the value; without one, the dot alone."""
    if row.value is None:
        return None
    middle = row.value if row.mu is None else row.mu
    if row.low is None or row.high is None:
        return middle, middle, middle
    return row.low, middle, row.high


def _bar(span: tuple[float, float, float], least: float, most: float) -> Bar:
    """Clipped to the axis."""
    scale = (100 - 2 * MARGIN) / ((most - least) or 1.0)
    left, dot, right = (min(max(MARGIN + scale * (number - least), 0.0), 100.0) for number in span)
    return Bar(dot=round(dot, 2), left=round(left, 2), right=round(right, 2))


def _best(row: Row) -> str:
    if row.best_probability is None:
        return ""
    percent = 100 * row.best_probability
    return "< 1 %" if percent < 1 else "> 99 %" if percent > 99 else f"{percent:.0f} %"


def _gain(row: Row, digits: int) -> str:
    if row.change is None:
        return ""
    return f"{row.change:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _verdict(row: Row, lower_is_better: bool) -> str:
    if row.change is None or row.change_error is None or abs(row.change) <= row.change_error:
        return "unsure"
    return "up" if (row.change > 0) is not lower_is_better else "down"
