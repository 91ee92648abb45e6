"""Folds the vote log into boards. Ratings are a view of the log, and this module alone writes them (docs/boards.md)."""

from collections.abc import Callable
from copy import copy
from datetime import datetime
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone

from arena.leaderboard import archive
from arena.leaderboard.folding import (
    at_rest,
    begin,
    carried_on,
    fold_portion,
    folded,
    is_settled,
    settle_run,
    standings,
)
from arena.leaderboard.log import Exclusions, Slice, counted_votes, cut_off, excluded_hash, excluded_numbers, read_votes
from arena.leaderboard.models import RatingRun, Standing
from arena.votes.models import Vote
from rating.registry import rating_system
from rating.system import RatingSystem

# Boards of so many votes have new intervals with every look; larger ones get them from the worker.
SETTLED_AT_ONCE = 1000
PLACE = ("through", "counted", "excluded", "log_sha256", "state")
ROW = ("rank", "rank_high", "value", "low", "high", "mu", "sigma", "average", "best_probability",
       "votes", "wins", "losses", "draws")  # fmt: skip
Progress = Callable[[int], None]


def refresh(
    metric: str,
    poll: str = "",
    population: str = "people",
    cut: str = "",
    *,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> RatingRun:
    """Fold the votes that are new since the last time, and return the run (unsaved while there is no vote).

    With `seconds`, no portion is begun after that time, and intervals of more than SETTLED_AT_ONCE votes stay as they
    are: `is_current` says whether anything is left. `progress` is called with the last number folded.

    Nothing is locked while numbers are computed: a result is stored only if the run still stands where it was read, so
    of several concurrent refreshes one stores and the others go on from there. A change of the excluded votes among
    those folded, or of the method, goes back to the last place that it leaves alone; what stood before is shown until
    the replay has caught up. Raises UnknownMetricError, and ReplayError for a vote that cannot be rated.
    """
    system, chosen = rating_system(metric), Slice(poll, population, cut)
    deadline = None if seconds is None else monotonic() + seconds
    while True:
        run, run.complete = _advance(system, chosen, patient=deadline is None)
        if progress:
            progress(_reached(run))
        if run.complete or (deadline is not None and monotonic() >= deadline):
            return run


def rebuild(
    metric: str, poll: str = "", population: str = "people", cut: str = "", *, progress: Progress | None = None
) -> RatingRun:
    """Forget what was folded and replay the whole log: the same numbers, bit for bit."""
    system = rating_system(metric)
    RatingRun.objects.filter(metric=system.metric, poll=poll, population=population, cut=cut).delete()
    return refresh(metric, poll, population, cut, progress=progress)


def replayed(
    metric: str, chosen: Slice, through: int, *, archived: bool = True, progress: Progress | None = None
) -> RatingRun:
    """The board as the log up to vote `through` makes it, folded from the beginning; nothing is stored."""
    system, excluded = rating_system(metric), excluded_numbers(chosen)
    run, last = begin(system, chosen), False
    while not last and run.through < through:
        read = read_votes(chosen, run.through, excluded, archived=archived)
        portion = cut_off(read, through, run.through)
        last = portion.last
        if portion.through > run.through:
            own = [number for number in excluded if run.through < number]
            run = fold_portion(system, chosen, run, portion, own, archived=archived)
        if progress:
            progress(run.through)
    run.settled = _settled(run, chosen, archived=archived) if run.counted else {}
    return run


def last_vote_at(moment: datetime) -> int:
    """The number of the last vote before any that was cast after the moment."""
    later = Vote.objects.filter(created_at__gt=moment).aggregate(first=Min("number"))["first"]
    return int(later) - 1 if later else log_length()


def log_length() -> int:
    """The number of the last vote."""
    return int(Vote.objects.aggregate(last=Max("number"))["last"] or 0)


def is_current(run: RatingRun) -> bool:
    """Whether all votes are folded and settled."""
    return run.complete and is_settled(run)


def _advance(system: RatingSystem, chosen: Slice, *, patient: bool) -> tuple[RatingRun, bool]:
    """Fold one portion. Returns the run as it is to be shown, and whether it has reached the end of the log."""
    kept = RatingRun.objects.filter(**_board(system, chosen)).first()
    now = Exclusions.now()
    base, replays = _base(system, chosen, kept, now)
    excluded = excluded_numbers(chosen, base.through, archive.end_of_portion(base.through))
    portion = read_votes(chosen, base.through, excluded)
    moved = portion.through > base.through
    after = fold_portion(system, chosen, base, portion, excluded) if moved else copy(base)
    after.anchors = _anchored(base.anchors, after)
    shown, complete = base, True
    if moved or replays:
        if not replays:
            later = portion.votes.take(portion.votes.number > base.settled.get("through", 0))
            after.settled = carried_on(base.settled, later.counted())
        elif portion.last:
            after.settled = _carried(base.settled, chosen, after.through)
        shown, stored = _store(kept or begin(system, chosen), after, now, pending=replays and not portion.last)
        complete = stored and portion.last
    if complete and (patient or shown.counted <= SETTLED_AT_ONCE) and not is_settled(shown):
        return _settle(shown, chosen), True
    return shown, complete


def _board(system: RatingSystem, chosen: Slice) -> dict[str, str]:
    return {"metric": system.metric, "poll": chosen.poll, "population": chosen.population, "cut": chosen.cut}


def _base(system: RatingSystem, chosen: Slice, kept: RatingRun | None, now: Exclusions) -> tuple[RatingRun, bool]:
    """Where to go on, and whether that is before the place that is shown."""
    blank = begin(system, chosen)
    if kept is None:
        return blank, False
    same = kept.methodology == blank.methodology
    if same and kept.exclusions and Exclusions(*kept.exclusions).unchanged_through(kept.through, now):
        return kept, False
    blank.settled = at_rest(kept.settled) if same else {}
    excluded = excluded_numbers(chosen)
    if same and kept.excluded == excluded_hash(excluded, kept.through):
        return kept, False
    for place in [kept.pending, *reversed(kept.anchors)]:
        if place and place["methodology"] == blank.methodology and (
            place["excluded"] == excluded_hash(excluded, place["through"])
        ):  # fmt: skip
            for name in (*PLACE, "anchors"):
                setattr(blank, name, place.get(name, []))
            blank.anchors = [anchor for anchor in kept.anchors if anchor["through"] <= blank.through] + blank.anchors
            break
    return blank, True


def _place(run: RatingRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in (*PLACE, "methodology")}


def _anchored(anchors: list[dict[str, Any]], run: RatingRun) -> list[dict[str, Any]]:
    """The last two places at the end of a full portion."""
    if run.through and run.through % archive.PORTION == 0 and all(one["through"] < run.through for one in anchors):
        anchors = [*anchors, _place(run)]
    return anchors[-2:]


def _settled(run: RatingRun, chosen: Slice, *, archived: bool = True) -> dict[str, Any]:
    if not folded(run).comparable:
        return {"log_sha256": run.log_sha256, "through": run.through, "counted": run.counted}
    return settle_run(run, counted_votes(chosen, run.through, archived=archived))


def _settle(run: RatingRun, chosen: Slice) -> RatingRun:
    """Settle a run and store that, whoever folds on meanwhile: votes since then move its values."""
    settled, shown, stored = _settled(run, chosen), run, False
    while not stored:
        now = RatingRun.objects.filter(pk=run.pk, methodology=run.methodology).first()
        if now is None or is_settled(now):
            return now or shown
        now.settled = _carried(settled, chosen, now.through)
        shown, stored = now, _write(now, settled=now.settled, updated_at=timezone.now())
    return shown


def _carried(settled: dict[str, Any], chosen: Slice, through: int) -> dict[str, Any]:
    """A settlement at rest, carried on by the votes since."""
    if not settled.get("onward"):
        return settled
    return carried_on(settled, counted_votes(chosen, through, after=settled["through"]))


def _store(kept: RatingRun, after: RatingRun, now: Exclusions, *, pending: bool) -> tuple[RatingRun, bool]:
    """Write the run and its standings together; or nothing, if somebody moved the run since it was read.

    A pending replay is only kept beside what is shown. Returns what is to be shown, and whether it was written.
    """
    if pending:
        return kept, _write(kept, pending=_place(after) | {"anchors": after.anchors})
    board = {name: getattr(after, name) for name in ("metric", "poll", "population", "cut")}
    with transaction.atomic():
        row, _ = RatingRun.objects.get_or_create(
            **board, defaults={"methodology": kept.methodology, "state": kept.state}
        )
        after.pk, after.version = row.pk, kept.version
        changed = _place(after) | {"anchors": after.anchors, "settled": after.settled, "pending": None}
        written = _write(after, **changed, exclusions=[now.count, now.last], updated_at=timezone.now())
    return (after, True) if written else (kept, False)


def _write(run: RatingRun, **changed: Any) -> bool:
    """Write these fields and the standings that they make, if the run still stands where it was read."""
    with transaction.atomic():
        place = RatingRun.objects.filter(pk=run.pk, version=run.version)
        if not place.update(version=run.version + 1, **changed):
            return False
        for name, value in changed.items():
            setattr(run, name, value)
        run.version += 1
        _replace_standings(run)
    return True


def _replace_standings(run: RatingRun) -> None:
    rows = standings(run)
    Standing.objects.filter(rating_run=run).exclude(contestant__in=[row.contestant_id for row in rows]).delete()
    Standing.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=("rating_run", "contestant"), update_fields=ROW
    )


def _reached(run: RatingRun) -> int:
    return int(run.pending["through"] if run.pending else run.through)
