"""Folds the vote log into boards. Ratings are a view of the log, and this module alone writes them (docs/boards.md)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np
from django.db import transaction

from arena.leaderboard.log import (
    Portion,
    ReplayError,
    Slice,
    chained_hash,
    excluded_hash,
    excluded_numbers,
    games,
    read_votes,
)
from arena.leaderboard.models import RatingRun, Standing
from rating.errors import RatingError
from rating.order import milestone, order_sd
from rating.registry import rating_system
from rating.system import RatingSystem, State
from rating.tally import Tally, count, join
from rating.votes import votes_of

ORDER_SEED = 0


@dataclass(frozen=True)
class Folded:
    """What is known after a part of the log; kept as JSON in `RatingRun.state`. Contestants go by their row number."""

    system: State
    tallies: dict[str, list[int]] = field(default_factory=dict)
    groups: list[list[str]] = field(default_factory=list)
    bad: int = 0
    skipped: int = 0
    excluded: int = 0
    order_votes: int = 0
    order_sd: dict[str, float] = field(default_factory=dict)

    def tally(self) -> dict[str, Tally]:
        """Wins, losses and draws by contestant."""
        return {key: Tally(*counts) for key, counts in self.tallies.items()}

    @property
    def decided(self) -> bool:
        """Whether any vote put one contestant before another."""
        return any(wins or losses for wins, losses, _ in self.tallies.values())

    @property
    def comparable(self) -> bool:
        """Whether ratings mean anything: one connected group of contestants, and not only draws."""
        return len(self.groups) == 1 and self.decided


def folded(run: RatingRun) -> Folded:
    """The state of a run."""
    return Folded(**run.state)


def refresh(metric: str, poll: str = "", population: str = "people") -> RatingRun:
    """Fold the votes that are new since the last time, and return the run up to date (unsaved while there is no vote).

    Nothing is locked while numbers are computed: a result is stored only if the run still stands where it was read, so
    of several concurrent refreshes one stores and the others go on from there. A change of the excluded votes among
    those folded, or of the method, starts from zero. Raises UnknownMetricError, and ReplayError for a vote that cannot
    be rated.
    """
    system, chosen = rating_system(metric), Slice(poll, population)
    while True:
        run, complete = _advance(system, chosen)
        if complete:
            return run


def rebuild(metric: str, poll: str = "", population: str = "people") -> RatingRun:
    """Forget what was folded and replay the whole log: the same numbers, bit for bit."""
    RatingRun.objects.filter(metric=rating_system(metric).metric, poll=poll, population=population).delete()
    return refresh(metric, poll, population)


def _advance(system: RatingSystem, chosen: Slice) -> tuple[RatingRun, bool]:
    """Fold one portion. Returns the run and whether it has reached the end of the log."""
    blank = begin(system, chosen)
    kept = RatingRun.objects.filter(metric=system.metric, poll=chosen.poll, population=chosen.population).first()
    excluded = excluded_numbers(chosen)
    base = kept if kept and _still_valid(kept, system, excluded) else blank
    portion = read_votes(chosen, base.through, excluded)
    if portion.through == base.through and base is (kept or blank):
        return base, True
    after = fold_portion(system, chosen, base, portion, excluded)
    return after, _store(kept or blank, after) and portion.last


def begin(system: RatingSystem, chosen: Slice) -> RatingRun:
    """The run before the first vote, unsaved."""
    return RatingRun(
        metric=system.metric,
        poll=chosen.poll,
        population=chosen.population,
        methodology=system.methodology,
        state=asdict(Folded(system.start())),
    )


def _still_valid(run: RatingRun, system: RatingSystem, excluded: Sequence[int]) -> bool:
    return run.methodology == system.methodology and run.excluded == excluded_hash(excluded, run.through)


def fold_portion(
    system: RatingSystem, chosen: Slice, base: RatingRun, portion: Portion, excluded: Sequence[int]
) -> RatingRun:
    """The run after the portion, computed only."""
    before = folded(base)
    kinds = [vote.outcome.kind for vote in portion.votes]
    played = votes_of([vote.game() for vote in portion.votes if vote.outcome.counts])
    try:
        state = system.fold(before.system, played)
    except RatingError as error:
        raise ReplayError(f"votes {base.through + 1} to {portion.through} cannot be rated: {error}") from error
    run = begin(system, chosen)
    run.through, run.counted = portion.through, base.counted + len(played)
    run.excluded = excluded_hash(excluded, portion.through)
    run.log_sha256 = chained_hash(base.log_sha256, portion.votes)
    order_votes, order = _order(system, chosen, before, run.counted, excluded)
    tallies = count(before.tally(), played)
    run.state = asdict(
        Folded(
            system=state,
            tallies={key: [one.wins, one.losses, one.draws] for key, one in tallies.items()},
            groups=join(before.groups, played),
            bad=before.bad + kinds.count("bad"),
            skipped=before.skipped + kinds.count("skip"),
            excluded=sum(number <= portion.through for number in excluded),
            order_votes=order_votes,
            order_sd=order,
        )
    )
    return run


def _order(
    system: RatingSystem, chosen: Slice, before: Folded, counted: int, excluded: Sequence[int]
) -> tuple[int, dict[str, float]]:
    """What the order of the votes does, measured at milestones of the log so that any replay finds the same."""
    votes = milestone(min(counted, system.order_check))
    if votes == before.order_votes:
        return before.order_votes, before.order_sd
    first = votes_of(list(islice(games(chosen, excluded), votes)))
    return votes, order_sd(system, first, rng=np.random.default_rng(ORDER_SEED))


def _store(read: RatingRun, after: RatingRun) -> bool:
    """Write the run and its standings together; or nothing, if somebody moved the run since it was read."""
    with transaction.atomic():
        row, _ = RatingRun.objects.get_or_create(
            metric=after.metric,
            poll=after.poll,
            population=after.population,
            defaults={"methodology": read.methodology, "state": read.state},
        )
        place = {name: getattr(read, name) for name in ("methodology", "through", "log_sha256", "excluded")}
        changed = {name: getattr(after, name) for name in ("counted", "state", "updated_at", *place)}
        if not RatingRun.objects.filter(pk=row.pk, **place).update(**changed):
            return False
        after.pk = row.pk
        Standing.objects.filter(rating_run=after).delete()
        Standing.objects.bulk_create(standings(after))
    return True


def standings(run: RatingRun) -> list[Standing]:
    """The rows of a run, out of its state alone, best first; without ranks where the votes do not allow any."""
    state = folded(run)
    estimates = rating_system(run.metric).standings(state.system) if state.comparable else {}
    values = [estimate.value for estimate in estimates.values()]
    rows = []
    for key, tally in state.tally().items():
        numbers = asdict(estimates[key]) if key in estimates else {}
        counts = {"votes": tally.votes, "wins": tally.wins, "losses": tally.losses, "draws": tally.draws}
        rank = 1 + sum(value > numbers["value"] for value in values) if numbers else None
        rows.append(Standing(rating_run_id=run.pk, contestant_id=int(key), rank=rank, **numbers, **counts))
    return sorted(rows, key=lambda row: (row.rank or 0, row.contestant_id))
