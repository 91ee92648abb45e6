"""Is B better than A? The paired comparison, and the best of several epochs, on the votes of a board.

The mathematics is rating's (docs/comparison.md); here its names become contestants, and what the votes do not allow
becomes a state with a message instead of a number.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, cast, get_args

import numpy as np

from arena.gallery.finding import listed
from arena.gallery.models import Contestant, Run
from arena.leaderboard.basis import Basis, NoBasisError, settled_basis, whole_basis
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.likeness import likeness
from arena.leaderboard.log import Slice, direct_duels
from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import last_vote_at, log_length, refresh
from rating.comparison import compare, duels_between, elo_row
from rating.covariance import Cluster
from rating.errors import SettingError
from rating.selection import best_of, elo_rows

METHODOLOGY = "compare/1 joint ties=davidson left-seat"
CLUSTERS: tuple[str, ...] = get_args(Cluster)
SEED = 0
LEAST_LEVEL, MOST_LEVEL = 0.5, 0.9999
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparing:
    """What a comparison says. `state` is "ok", or why there are no numbers (arena.leaderboard.basis.NoBasisError);
    `message` then says what to do.

    `rows` are in Elo points (rating.comparison.elo_row, or rating.selection.elo_rows where `reference` is a name), with
    contestants by name and their checkpoint's hash as `a_checkpoint`, `b_checkpoint` or `checkpoint`. `counted` votes
    made them, of one poll (None: all), population and slice, cast until `as_of` (None: until now); intervals take
    votes of one `cluster` together and hold at `level`. `set_aside` more votes had nothing to do with the contestants.
    `waiting` names the candidates that no vote, or none that lets them be compared, is about yet. `behind` votes of the
    log came since. `duels` are the direct ones of a pair whose state is "separated" (rating.comparison.Duels):
    evidence without an estimate. `likeness` is what was measured of a pair, whatever the votes say
    (arena.leaderboard.likeness.Likeness). `run` is the board whose settlement answers, None where the votes were read
    for it.
    """

    state: str
    message: str
    rows: list[Row]
    reference: str | None
    poll: str | None
    population: str
    cut: str
    as_of: datetime | None
    cluster: str
    level: float
    counted: int
    set_aside: int
    waiting: list[str]
    behind: int = 0
    duels: Row | None = None
    likeness: Row | None = None
    methodology: str = METHODOLOGY
    run: RatingRun | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """All but the run."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.compare}


def compare_pair(
    a: Contestant,
    b: Contestant,
    chosen: Slice,
    *,
    as_of: datetime | None = None,
    cluster: str = "voter",
    level: float = 0.95,
    seconds: float | None = None,
) -> Comparing:
    """Whether b is better than a: difference, interval, probability, votes still needed, and a verdict that may be
    looked at after every vote.

    By voter, and until now, the settlement of the board `joint` answers; `seconds` bounds the work on it as for a board
    (arena.leaderboard.table). All else is computed anew.
    Raises SettingError for a cluster or level that cannot be, or a contestant against itself.
    """
    if a.pk == b.pk:
        raise SettingError(f"cannot compare {a} with itself; name two contestants")

    shas = {"a_checkpoint": a.checkpoint.sha256[:12], "b_checkpoint": b.checkpoint.sha256[:12]}

    def rows(basis: Basis) -> list[Row]:
        duels = basis.duels(a.pk, b.pk)
        found = compare(
            basis.fit, basis.covariance, duels, str(a.pk), str(b.pk), fitted=basis.counted,
            cluster=cast(Cluster, cluster), level=level,
        )  # fmt: skip
        verdict = {"A": str(a), "B": str(b)}.get(found.verdict, found.verdict)
        named = {"a": str(a), "b": str(b), "verdict": verdict}
        return [{**elo_row(found), **named, **shas}]

    answer = _comparing([a, b], [], chosen, as_of, cluster, level, seconds, rows)
    measured = likeness(a, b, level=level, as_of=as_of)
    answer = replace(answer, likeness=asdict(measured) if measured else None)
    if answer.state != "separated":
        return answer
    votes = direct_duels(chosen, a.pk, b.pk, last_vote_at(as_of) if as_of else log_length())
    duels = duels_between(votes, str(a.pk), str(b.pk), cast(Cluster, cluster))
    told = (
        f"{answer.message} Of direct duels {a} won {duels.a_wins}, {b} {duels.b_wins}, {duels.draws} were draws: "
        f"evidence {duels.e_value:.1f} ({1 / (1 - level):.0f} is enough)."
    )
    return replace(answer, message=told, duels={"a": str(a), "b": str(b), **shas, **asdict(duels)})


def compare_with(
    reference: Contestant,
    candidates: Sequence[Contestant],
    chosen: Slice,
    *,
    as_of: datetime | None = None,
    cluster: str = "voter",
    level: float = 0.95,
    seconds: float | None = None,
) -> Comparing:
    """Each candidate against the reference: all intervals hold at once, and the best is corrected for being picked.

    Candidates that the votes do not let be compared yet, such as an epoch of this minute, are left out as `waiting`.
    `seconds` as in `compare_pair`.

    Raises SettingError for a cluster or level that cannot be, for no candidate, or one named twice.
    """
    if not candidates or len({one.pk for one in (reference, *candidates)}) < len(candidates) + 1:
        raise SettingError("name at least one candidate, each once, and a reference that is not among them")
    by_key = {str(one.pk): one for one in candidates}

    def rows(basis: Basis) -> list[Row]:
        rng = np.random.default_rng(SEED)
        names = [key for key in by_key if key in basis.rated]
        found = best_of(basis.fit, basis.covariance, names, str(reference.pk), level=level, rng=rng)
        return [_named({**row}, by_key[str(row["contestant"])], reference) for row in elo_rows(found)]

    return _comparing([reference], candidates, chosen, as_of, cluster, level, seconds, rows)


def epochs_of(run: str, reference: Contestant) -> list[Contestant]:
    """Every checkpoint of a run under the reference's recipe, but for the reference itself.

    Raises UnknownBoardError naming the known runs.
    """
    found = Contestant.objects.filter(checkpoint__run__name=run, recipe_sha256=reference.recipe_sha256)
    epochs = list(found.exclude(pk=reference.pk).select_related("checkpoint", "lora"))
    if not epochs:
        known = listed(Run.objects.filter(checkpoints__isnull=False).distinct().values_list("name", flat=True))
        raise UnknownBoardError(f"no run {run!r} has checkpoints besides {reference}; known: {known}")
    return epochs


def _named(row: Row, candidate: Contestant, reference: Contestant) -> Row:
    names = {"contestant": str(candidate), "reference": str(reference)}
    return row | names | {"checkpoint": candidate.checkpoint.sha256[:12]}


def _comparing(
    needed: Sequence[Contestant],
    candidates: Sequence[Contestant],
    chosen: Slice,
    as_of: datetime | None,
    cluster: str,
    level: float,
    seconds: float | None,
    rows: Callable[[Basis], list[Row]],
) -> Comparing:
    if cluster not in CLUSTERS:
        raise SettingError(f"there is no cluster {cluster!r}; known: {', '.join(CLUSTERS)}")
    if not LEAST_LEVEL <= level <= MOST_LEVEL:
        raise SettingError(f"the level must be {LEAST_LEVEL} to {MOST_LEVEL}, not {level:g}")
    run, basis, state, message = None, None, "ok", ""
    try:
        if as_of is None and cluster == "voter":
            run = refresh("joint", chosen.poll, chosen.population, chosen.cut, seconds=seconds)
            basis = settled_basis(run, chosen, needed, candidates, patient=seconds is None)
        if basis is None:
            through = last_vote_at(as_of) if as_of else None
            basis = whole_basis(chosen, through, needed, candidates, cast(Cluster, cluster))
    except NoBasisError as error:
        state, message = error.state, str(error)
    return Comparing(
        state=state,
        message=message,
        rows=rows(basis) if basis else [],
        reference=str(needed[0]) if candidates else None,
        poll=chosen.poll or None,
        population=chosen.population,
        cut=chosen.cut,
        as_of=as_of,
        cluster=cluster,
        level=level,
        counted=basis.counted if basis else 0,
        set_aside=basis.set_aside if basis else 0,
        waiting=[str(one) for one in candidates if basis is None or str(one.pk) not in basis.rated],
        behind=basis.behind if basis else 0,
        run=run,
    )
