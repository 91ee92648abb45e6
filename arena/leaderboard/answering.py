"""What the page says of a comparison: an answer in words to choose from, percents, and bars on one axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from arena.leaderboard.comparing import Comparing, Row
from rating.comparison import ELO

MARGIN = 4.0
# Elo points: an interval beyond it is no number that anybody can use.
LIMIT = 10_000


@dataclass(frozen=True)
class Bar:
    """A difference in percent of the width: 0, the estimate, its interval for one look, and that for all looks.

    The last one runs to the very edge, 0 or 100, where it is longer than the axis.
    """

    zero: float
    dot: float
    low: float
    high: float
    always_low: float
    always_high: float


@dataclass(frozen=True)
class Line:
    """A row of the comparison with its bar; `verdict` is "better", "worse" or "open", at all looks."""

    row: Row
    bar: Bar
    verdict: str

    @property
    def limited(self) -> bool:
        """Whether the interval for all looks says anything."""
        return limited(self.row)


@dataclass(frozen=True)
class Answer:
    """What to say first. `kind` is "better", "worse" or "open" (B, or the best candidate, against A), or the state in
    which the votes allow no numbers. Where one side won every vote, enough duels answer without an estimate.

    `ahead` and `behind` name who leads so far; `percent`, of two, is the probability that it is truly so;
    `wins` how many of 100 duels without draws the leader would win.
    """

    kind: str
    ahead: str = ""
    behind: str = ""
    percent: str = ""
    wins: int = 50


def answer_of(found: Comparing) -> Answer:
    """The answer to "Is B better than A?", or to "Is any of them better than the reference?"."""
    if found.duels is not None and found.duels["e_value"] * (1 - found.level) >= 1:
        a, b = found.duels["a"], found.duels["b"]
        return Answer("better", b, a) if found.duels["b_wins"] > found.duels["a_wins"] else Answer("worse", a, b)
    if found.state != "ok":
        return Answer(found.state)
    best = found.rows[0]
    verdicts = {verdict_of(row) for row in found.rows}
    kind = verdict_of(best) if found.reference is None or verdict_of(best) == "better" or len(verdicts) == 1 else "open"
    a, b = (best["a"], best["b"]) if found.reference is None else (best["reference"], best["contestant"])
    leads = best["difference"] >= 0
    chance = best.get("probability")
    return Answer(
        kind=kind,
        ahead=b if leads else a,
        behind=a if leads else b,
        percent="" if chance is None else percent(chance if leads else 1 - chance),
        wins=round(100 / (1 + exp(-abs(best["difference"]) / ELO))),
    )


def limited(row: Row) -> bool:
    """Whether the interval for all looks says anything: with few voters or votes it may be of any length."""
    return bool(max(abs(row["always_low"]), abs(row["always_high"])) < LIMIT)


def verdict_of(row: Row) -> str:
    """What holds however often one looks."""
    if row["always_low"] > 0:
        return "better"
    return "worse" if row["always_high"] < 0 else "open"


def percent(probability: float) -> str:
    """A probability as text that never claims certainty."""
    if not 0.001 <= probability <= 0.999:
        return f"{'<' if probability < 0.5 else '>'} {0.1 if probability < 0.5 else 99.9}\N{NO-BREAK SPACE}%"
    digits = 0 if 0.01 <= probability <= 0.99 else 1
    return f"{100 * probability:.{digits}f}\N{NO-BREAK SPACE}%"


def lines(rows: Sequence[Row]) -> list[Line]:
    """All rows on one axis that holds 0 and every interval for one look.

    Of the longer ones for all looks it holds what fits into twice that length at each side, so that the others stay
    visible.
    """
    once = [0.0, *(row[name] for row in rows for name in ("low", "high"))]
    least, most = min(once), max(once)
    room = 2 * (most - least)
    always = [(max(row["always_low"], least - room), min(row["always_high"], most + room)) for row in rows]
    least = min([least, *(low for low, _ in always)])
    most = max([most, *(high for _, high in always)])

    def at(number: float) -> float:
        if not least <= number <= most:
            return 0.0 if number < least else 100.0
        return round(MARGIN + (100 - 2 * MARGIN) * (number - least) / ((most - least) or 1.0), 2)

    def bar(row: dict[str, Any]) -> Bar:
        numbers = (0.0, *(row[name] for name in ("difference", "low", "high", "always_low", "always_high")))
        return Bar(*map(at, numbers))

    return [Line(row, bar(row), verdict_of(row)) for row in rows]
