"""The rows of a board, made in one place for the page, the command, the API and the trainer (docs/boards.md)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import hypot

from django.db.models import Sum
from django.utils import timezone

from arena.gallery.models import Checkpoint, Contestant
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.folding import folded, standings
from arena.leaderboard.heading import Head, head_of
from arena.leaderboard.log import Slice
from arena.leaderboard.models import RatingRun, Standing
from arena.leaderboard.replay import is_current, last_vote_at, refresh, replayed
from arena.polls.models import Enrolment, Poll
from arena.votes.models import Voter
from rating.registry import SYSTEMS
from rating.tally import PROVISIONAL_VOTES

METRICS = tuple(SYSTEMS)


@dataclass(frozen=True)
class Row:
    """One contestant. Ranks and numbers are None where the board has no votes or no comparable ones about it.

    `rank` to `rank_high` are the ranks that the votes leave open (1 is the best), for all contestants at once with
    95 %: those that overlap share the better rank. `checkpoint` is the first 12 digits of its content hash,
    `lineage` the names of its ancestors, the first one first. `low` to `high` is the 95 % interval of mu (TrueSkill) or
    of the value. `change` is what it gained on the latest earlier epoch of its run, `previous_epoch`, in mu (TrueSkill)
    or in value, give or take `change_error` (95 %). `average` is the time-weighted average of an Elo rating, `order_sd`
    how far another order of the votes would move the value. `exposure` counts the seats it was shown in.
    """

    rank: int | None
    rank_high: int | None
    contestant: str
    contestant_id: int
    run: str
    epoch: int
    step: int
    checkpoint: str
    lineage: list[str]
    licence: str
    value: float | None
    low: float | None
    high: float | None
    mu: float | None
    sigma: float | None
    average: float | None
    order_sd: float | None
    best_probability: float | None
    previous_epoch: int | None
    change: float | None
    change_error: float | None
    votes: int
    wins: int
    losses: int
    draws: int
    exposure: int
    provisional: bool


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
    keys = [standing.contestant_id for standing in placed]
    enrolled = Enrolment.objects.filter(**({"poll__kind": chosen.poll} if chosen.poll else {}))
    if chosen.conditions.contestants is not None:
        enrolled = enrolled.filter(contestant__in=chosen.conditions.contestants)
    shown = dict(enrolled.order_by().values_list("contestant").annotate(seats=Sum("appearances")))
    taking_part = enrolled.filter(withdrawn_at=None).values_list("contestant_id", flat=True)
    waiting = sorted(set(taking_part) - set(keys))
    lean = Contestant.objects.select_related("checkpoint__run").defer("recipe", "checkpoint__manifest")
    contestants = lean.in_bulk([*keys, *waiting])
    ancestors = lineages(contestants.values())
    rows = [*placed, *(Standing(contestant_id=key) for key in waiting)]
    by_epoch = _by_epoch(placed, contestants)
    order_sd = folded(run).order_sd
    return [
        _row(
            row,
            contestants[row.contestant_id],
            by_epoch,
            lineage=ancestors[contestants[row.contestant_id].checkpoint_id],
            order_sd=order_sd.get(str(row.contestant_id)) if row.value is not None else None,
            exposure=shown.get(row.contestant_id, 0),
        )
        for row in rows
    ]


def lineages(contestants: Iterable[Contestant]) -> dict[int, list[str]]:
    """The names of each checkpoint's ancestors, the first one first, by the checkpoint's key; one query."""
    known = {pk: (name, parent) for pk, name, parent in Checkpoint.objects.values_list("pk", "name", "parent_id")}
    found = {}
    for contestant in contestants:
        names: list[str] = []
        seen = {contestant.checkpoint_id}
        parent = contestant.checkpoint.parent_id
        while parent and parent not in seen:
            seen.add(parent)
            name, parent = known[parent]
            names.append(name)
        found[contestant.checkpoint_id] = names[::-1]
    return found


Epochs = dict[tuple[int, str], list[tuple[int, Standing]]]


def _by_epoch(placed: list[Standing], contestants: Mapping[int, Contestant]) -> Epochs:
    """(epoch, row) of the rated contestants by run and recipe, in the order of the epochs."""
    found: Epochs = {}
    for row in placed:
        contestant = contestants[row.contestant_id]
        if row.value is not None:
            key = contestant.checkpoint.run_id, contestant.recipe_sha256
            found.setdefault(key, []).append((contestant.checkpoint.epoch, row))
    return {key: sorted(rows, key=lambda pair: pair[0]) for key, rows in found.items()}


def _row(
    standing: Standing,
    contestant: Contestant,
    by_epoch: Epochs,
    *,
    lineage: list[str],
    order_sd: float | None,
    exposure: int,
) -> Row:
    checkpoint = contestant.checkpoint
    previous_epoch, change, change_error = _change(standing, contestant, by_epoch)
    same = ("rank", "rank_high", "value", "low", "high", "mu", "sigma", "average", "best_probability",
            "votes", "wins", "losses", "draws")  # fmt: skip
    return Row(
        contestant=str(contestant),
        contestant_id=contestant.pk,
        run=checkpoint.run.name,
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        checkpoint=checkpoint.sha256[:12],
        lineage=lineage,
        licence=checkpoint.licence,
        order_sd=order_sd,
        previous_epoch=previous_epoch,
        change=change,
        change_error=change_error,
        exposure=exposure,
        provisional=standing.votes < PROVISIONAL_VOTES,
        **{name: getattr(standing, name) for name in same},
    )


def _change(
    standing: Standing, contestant: Contestant, by_epoch: Epochs
) -> tuple[int | None, float | None, float | None]:
    """(previous epoch, change since, 95 % error) against the latest earlier epoch with the same recipe.

    The error takes the two for independent; a page that compares two contestants need not.
    """
    rows = by_epoch.get((contestant.checkpoint.run_id, contestant.recipe_sha256), [])
    earlier = [pair for pair in rows if pair[0] < contestant.checkpoint.epoch]
    if not earlier or standing.value is None:
        return None, None, None
    epoch, before = earlier[-1]
    change = standing.value - before.value if standing.mu is None else standing.mu - before.mu
    if standing.low is None or before.low is None:
        return epoch, change, None
    return epoch, change, hypot((standing.high - standing.low) / 2, (before.high - before.low) / 2)


def is_behind(found: Board) -> bool:
    """Whether a worker should go on with the board."""
    return found.run is not None and found.run.pk is not None and not is_current(found.run)
