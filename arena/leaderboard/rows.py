"""The rows of a board: what was folded or measured about each contestant, beside what it is (docs/boards.md)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from arena.gallery.models import Checkpoint, Contestant
from arena.leaderboard.models import Standing

SAME = ("rank", "rank_high", "value", "low", "high", "mu", "sigma", "average", "best_probability",
        "votes", "wins", "losses", "draws")  # fmt: skip
Epochs = dict[tuple[int, str], list[tuple[int, Standing]]]
ErrorOf = Callable[[int, int], float | None]
"""The 95 % error of the difference of two contestants, where it is known of the pair."""


@dataclass(frozen=True)
class Row:
    """One contestant. Ranks and numbers are None where the board has no votes or no comparable ones about it.

    `rank` to `rank_high` are the ranks that the votes leave open (1 is the best), for all contestants at once with
    95 %: those that overlap share the better rank. `checkpoint` is the first 12 digits of its content hash,
    `lineage` the names of its ancestors, the first one first; one `imported` has images but no weights, and cannot be
    rendered again. `low` to `high` is the 95 % interval of mu (TrueSkill) or
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
    imported: bool
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


def rows_of(
    placed: Sequence[Standing],
    shown: Mapping[int, int],
    provisional: Iterable[int],
    order_sd: Mapping[str, float],
    error_of: ErrorOf | None = None,
) -> list[Row]:
    """The rows of these standings, in their order. `shown` is each contestant's exposure, `error_of` how sure a change
    is (without it the two are taken for independent).
    """
    lean = Contestant.objects.select_related("checkpoint__run", "lora").defer("recipe", "checkpoint__manifest")
    contestants = lean.in_bulk([row.contestant_id for row in placed])
    ancestors = lineages(contestants.values())
    by_epoch, few = _by_epoch(placed, contestants), set(provisional)
    made: list[Row] = []
    known = error_of or _independent(placed)
    for row in placed:
        contestant = contestants[row.contestant_id]
        since = _change(row, contestant, by_epoch, known)
        made.append(_row(row, contestant, since, ancestors, shown, few, order_sd))
    return made


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


def _by_epoch(placed: Sequence[Standing], contestants: Mapping[int, Contestant]) -> Epochs:
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
    since: tuple[int | None, float | None, float | None],
    ancestors: Mapping[int, list[str]],
    shown: Mapping[int, int],
    provisional: set[int],
    order_sd: Mapping[str, float],
) -> Row:
    checkpoint = contestant.checkpoint
    previous_epoch, change, change_error = since
    return Row(
        contestant=str(contestant),
        contestant_id=contestant.pk,
        run=checkpoint.run.name,
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        checkpoint=checkpoint.sha256[:12],
        lineage=ancestors[checkpoint.pk],
        licence=checkpoint.licence,
        imported=checkpoint.imported,
        order_sd=order_sd.get(str(contestant.pk)) if standing.value is not None else None,
        previous_epoch=previous_epoch,
        change=change,
        change_error=change_error,
        exposure=shown.get(contestant.pk, 0),
        provisional=contestant.pk in provisional,
        **{name: getattr(standing, name) for name in SAME},
    )


def _change(
    standing: Standing, contestant: Contestant, by_epoch: Epochs, error_of: ErrorOf
) -> tuple[int | None, float | None, float | None]:
    """(previous epoch, change since, 95 % error) against the latest earlier epoch with the same recipe."""
    rows = by_epoch.get((contestant.checkpoint.run_id, contestant.recipe_sha256), [])
    earlier = [pair for pair in rows if pair[0] < contestant.checkpoint.epoch]
    if not earlier or standing.value is None:
        return None, None, None
    epoch, before = earlier[-1]
    change = standing.value - before.value if standing.mu is None else standing.mu - before.mu
    return epoch, change, error_of(standing.contestant_id, before.contestant_id)


def _independent(placed: Sequence[Standing]) -> ErrorOf:
    """From both intervals, as if the two had nothing in common."""
    reach = {row.contestant_id: (row.high - row.low) / 2 for row in placed if row.low is not None}

    def error_of(one: int, other: int) -> float | None:
        return hypot(reach[one], reach[other]) if {one, other} <= reach.keys() else None

    return error_of
