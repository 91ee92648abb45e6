"""The rows of a board, made in one place for the page, the command, the API and the trainer (docs/boards.md)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy

from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.folding import folded, standings
from arena.leaderboard.heading import Head, head_of
from arena.leaderboard.log import Slice
from arena.leaderboard.models import RatingRun, Standing
from arena.leaderboard.replay import last_vote_at, refresh, replayed
from arena.leaderboard.rows import Row, rows_of
from arena.leaderboard.scored import score_board
from arena.polls.models import Enrolment, Poll
from arena.votes.models import Voter
from rating.registry import SYSTEMS
from rating.tally import PROVISIONAL_VOTES

# CCIP needs no votes: checkpoints are measured against references (docs/ccip.md).
SCORED = "ccip"
VOTED = tuple(SYSTEMS)
METRICS = (*VOTED, SCORED)
TITLES = {
    "trueskill": "TrueSkill",
    "elo": "Elo",
    "elo-twa": gettext_lazy("Elo average"),
    "joint": gettext_lazy("Order-free"),
    "winrate": gettext_lazy("Win rate"),
    "ccip": gettext_lazy("Character similarity"),
}


@dataclass(frozen=True)
class Board:
    """A head and its rows, best first; contestants without votes at the end. `run` is what it was made of."""

    head: Head
    rows: list[Row]
    run: RatingRun | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, object]:
        """Head and rows as plain values."""
        return {"head": asdict(self.head), "rows": [asdict(row) for row in self.rows]}


def board(
    metric: str,
    poll_kind: str | None = None,
    population: str = "people",
    *,
    cut: str = "",
    as_of: datetime | None = None,
    seconds: float | None = None,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> Board:
    """The board of a metric for one poll kind (None: all polls together), with every vote cast until now.

    `cut` is a slice (arena.leaderboard.cuts). `as_of` counts the votes cast until then, by the method and the
    exclusions of today; the whole of it is computed anew. `seconds` bounds the work: `head.behind` then tells what is
    left. `progress` is called with the last vote folded.
    Raises UnknownBoardError for names that do not exist or a moment to come, and ReplayError for a vote that cannot be
    rated.
    """
    now = now or timezone.now()
    check_known("metric", metric, METRICS)
    chosen = slice_of(poll_kind, population, cut, as_of, now)
    if metric == SCORED:
        return Board(*score_board(poll_kind, population, cut, as_of, now))
    if as_of:
        run = replayed(metric, chosen, last_vote_at(as_of), progress=progress)
    else:
        run = refresh(metric, chosen.poll, population, cut, seconds=seconds, progress=progress)
    return Board(head_of(run, chosen, as_of, now), _rows(run, chosen), run)


def slice_of(poll_kind: str | None, population: str, cut: str, as_of: datetime | None, now: datetime) -> Slice:
    """The votes that are asked for. Raises UnknownBoardError for names that do not exist or a moment to come."""
    check_known("population", population, Voter.Population.values)
    if poll_kind is not None:
        check_known("poll", poll_kind, Poll.Kind.values)
    chosen = Slice(poll_kind or "", population, cut)
    if chosen.conditions and as_of and as_of > now:
        raise UnknownBoardError(f"{as_of:%Y-%m-%d %H:%M} is still to come; give a moment until {now:%Y-%m-%d %H:%M}")
    return chosen


def check_known(what: str, name: str, known: tuple[str, ...] | list[str]) -> None:
    """Raise UnknownBoardError for a name that is not among the known ones."""
    if name not in known:
        raise UnknownBoardError(f"there is no {what} {name!r}; known: {', '.join(known)}")


def _rows(run: RatingRun, chosen: Slice) -> list[Row]:
    placed = standings(run)
    enrolled = Enrolment.objects.filter(**({"poll__kind": chosen.poll} if chosen.poll else {}))
    if chosen.conditions.contestants is not None:
        enrolled = enrolled.filter(contestant__in=chosen.conditions.contestants)
    shown = dict(enrolled.order_by().values_list("contestant").annotate(seats=Sum("appearances")))
    taking_part = enrolled.filter(withdrawn_at=None).values_list("contestant_id", flat=True)
    waiting = sorted(set(taking_part) - {row.contestant_id for row in placed})
    placed += [Standing(contestant_id=key) for key in waiting]
    few = [row.contestant_id for row in placed if row.votes < PROVISIONAL_VOTES]
    return rows_of(placed, shown, few, folded(run).order_sd)
