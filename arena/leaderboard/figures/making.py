"""The kinds of figures there are, and how each one is made."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext_lazy

from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.figures.asking import Ask, Figure
from arena.leaderboard.figures.of_agreement import people_and_metric
from arena.leaderboard.figures.of_board import ratings, seats
from arena.leaderboard.figures.of_run import run_trend
from arena.leaderboard.figures.of_scores import MEASURES, scores
from arena.leaderboard.figures.of_study import history, win_matrix
from arena.leaderboard.studying import HISTORIES
from arena.leaderboard.table import TITLES, VOTED, check_known, slice_of


@dataclass(frozen=True)
class Kind:
    """How a kind is called, how it is made, and the metrics it can be asked for, the first one by default."""

    title: str
    make: Callable[[Ask, float | None], Figure]
    metrics: dict[str, str]
    polls: bool = True


def _ratings(ask: Ask, seconds: float | None) -> Figure:
    if ask.metric not in MEASURES:
        return ratings(ask, seconds)
    if ask.poll or ask.cut:
        raise UnknownBoardError(f"{ask.metric} has no votes: ask for it without a poll and a slice")
    return scores(MEASURES[ask.metric])


MEASURED = {name: measure.title for name, measure in MEASURES.items()}
KINDS = {
    "ratings": Kind(
        gettext_lazy("Ratings"),  # type: ignore[arg-type]
        _ratings,
        {name: TITLES[name] for name in VOTED} | MEASURED,
    ),
    "trend": Kind(gettext_lazy("Trend over epochs"), run_trend, {}),  # type: ignore[arg-type]
    "history": Kind(
        gettext_lazy("Ratings over votes"),  # type: ignore[arg-type]
        history,
        {name: TITLES[name] for name in reversed(HISTORIES)},
    ),
    "wins": Kind(gettext_lazy("Who beats whom"), win_matrix, {}),  # type: ignore[arg-type]
    "seats": Kind(gettext_lazy("Position bias"), seats, {}),  # type: ignore[arg-type]
    "agreement": Kind(gettext_lazy("People and metrics"), people_and_metric, MEASURED),  # type: ignore[arg-type]
}


def made(ask: Ask, *, seconds: float | None = None) -> Figure:
    """The figure that is asked for. `seconds` bounds the work for a page; None computes all there is.

    Raises UnknownBoardError for names that do not exist, listing the known ones, and ReplayError for a vote that
    cannot be rated.
    """
    check_known("figure", ask.kind, list(KINDS))
    kind = KINDS[ask.kind]
    if kind.metrics:
        ask = replace(ask, metric=ask.metric or next(iter(kind.metrics)))
        check_known("metric", ask.metric, list(kind.metrics))
    slice_of(ask.poll or None, ask.population, ask.cut, None, timezone.now())
    return kind.make(ask, seconds)
