"""Is B better than A? The paired comparison, and the best of several epochs, on the votes of a board.

The mathematics is rating's (docs/comparison.md); here its names become contestants, and what the votes do not allow
becomes a state with a message instead of a number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, get_args

import numpy as np

from arena.gallery.finding import listed
from arena.gallery.models import Contestant, Run
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.log import Slice, counted_votes
from arena.leaderboard.replay import last_vote_at
from rating.comparison import compare, elo_row
from rating.covariance import Cluster, ClusteredCovariance, clustered_covariance
from rating.errors import SettingError, StateError
from rating.graph import vote_state
from rating.joint import JointFit, fit_joint
from rating.selection import best_of, elo_rows
from rating.votes import NOBODY, Votes

METHODOLOGY = "compare/1 joint ties=davidson left-seat"
CLUSTERS: tuple[str, ...] = get_args(Cluster)
SEED = 0
LEAST_LEVEL, MOST_LEVEL = 0.5, 0.9999
Row = dict[str, Any]
MESSAGES = {
    "no-votes": "No counted vote is left that compares %s.",
    "all-draws": "All votes on %s are draws: nothing tells them apart.",
    "disconnected": "%s never met, directly or over others. Let contestants of both sides meet.",
    "separated": "Among %s some never lost to the others, nor drew, so the difference has no finite estimate yet. "
    "Collect more votes between them; a TrueSkill board has values meanwhile.",
}


@dataclass(frozen=True)
class Comparing:
    """What a comparison says. `state` is "ok", or why there are no numbers: "no-votes", "all-draws", "disconnected",
    "separated" or "no-estimate"; `message` then says what to do.

    `rows` are in Elo points (rating.comparison.elo_row, or rating.selection.elo_rows where `reference` is a name), with
    contestants by name and their checkpoint's hash as `a_checkpoint`, `b_checkpoint` or `checkpoint`. `counted` votes
    made them, of one poll (None: all), population and slice, cast until `as_of` (None: until now); intervals take
    votes of one `cluster` together and hold at `level`. `set_aside` more votes had nothing to do with the contestants.
    `waiting` names the candidates that no vote, or none that lets them be compared, is about yet.
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
    methodology: str = METHODOLOGY


def compare_pair(
    a: Contestant,
    b: Contestant,
    chosen: Slice,
    *,
    as_of: datetime | None = None,
    cluster: str = "voter",
    level: float = 0.95,
) -> Comparing:
    """Whether b is better than a: difference, interval, probability, votes still needed, and a verdict that may be
    looked at after every vote.

    Raises SettingError for a cluster or level that cannot be, or a contestant against itself.
    """
    if a.pk == b.pk:
        raise SettingError(f"cannot compare {a} with itself; name two contestants")

    def rows(fit: JointFit, covariance: ClusteredCovariance, votes: Votes, taken: Cluster) -> list[Row]:
        found = compare(fit, covariance, votes, str(a.pk), str(b.pk), cluster=taken, level=level)
        verdict = {"A": str(a), "B": str(b)}.get(found.verdict, found.verdict)
        named = {"a": str(a), "b": str(b), "verdict": verdict}
        shas = {"a_checkpoint": a.checkpoint.sha256[:12], "b_checkpoint": b.checkpoint.sha256[:12]}
        return [{**elo_row(found), **named, **shas}]

    return _comparing([a, b], [], chosen, as_of, cluster, level, rows)


def compare_with(
    reference: Contestant,
    candidates: Sequence[Contestant],
    chosen: Slice,
    *,
    as_of: datetime | None = None,
    cluster: str = "voter",
    level: float = 0.95,
) -> Comparing:
    """Each candidate against the reference: all intervals hold at once, and the best is corrected for being picked.

    Candidates that the votes do not let be compared yet, such as an epoch of this minute, are left out as `waiting`.

    Raises SettingError for a cluster or level that cannot be, for no candidate, or one named twice.
    """
    if not candidates or len({one.pk for one in (reference, *candidates)}) < len(candidates) + 1:
        raise SettingError("name at least one candidate, each once, and a reference that is not among them")
    by_key = {str(one.pk): one for one in candidates}

    def rows(fit: JointFit, covariance: ClusteredCovariance, votes: Votes, taken: Cluster) -> list[Row]:
        rng = np.random.default_rng(SEED)
        names = [key for key in by_key if key in compared_in(votes)]
        found = best_of(fit, covariance, names, str(reference.pk), level=level, rng=rng)
        return [_named({**row}, by_key[str(row["contestant"])], reference) for row in elo_rows(found)]

    return _comparing([reference], candidates, chosen, as_of, cluster, level, rows)


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
    rows: Callable[[JointFit, ClusteredCovariance, Votes, Cluster], list[Row]],
) -> Comparing:
    if cluster not in CLUSTERS:
        raise SettingError(f"there is no cluster {cluster!r}; known: {', '.join(CLUSTERS)}")
    if not LEAST_LEVEL <= level <= MOST_LEVEL:
        raise SettingError(f"the level must be {LEAST_LEVEL} to {MOST_LEVEL}, not {level:g}")
    everything = counted_votes(chosen, last_vote_at(as_of) if as_of else None)
    votes, state, message = comparable(everything, needed, candidates)
    found: list[Row] = []
    if state == "ok":
        taken = cast(Cluster, cluster)
        try:
            fit = fit_joint(votes)
            found = rows(fit, clustered_covariance(fit, votes, taken), votes, taken)
        except StateError as error:
            state, message = "no-estimate", str(error)
    return Comparing(
        state=state,
        message=message,
        rows=found,
        reference=str(needed[0]) if candidates else None,
        poll=chosen.poll or None,
        population=chosen.population,
        cut=chosen.cut,
        as_of=as_of,
        cluster=cluster,
        level=level,
        counted=len(votes),
        set_aside=len(everything) - len(votes),
        waiting=[str(one) for one in candidates if state != "ok" or str(one.pk) not in compared_in(votes)],
    )


def comparable(
    votes: Votes, needed: Sequence[Contestant], candidates: Sequence[Contestant] = ()
) -> tuple[Votes, str, str]:
    """The votes that compare all of `needed` with one another and with at least one candidate where there are any; and
    the state and message where there are no such votes.

    Groups that never met, or never lost to the others, say nothing about differences inside the group that holds those
    asked for: votes that reach beyond it are set aside.
    """
    keys, others = {str(one.pk) for one in needed}, {str(one.pk) for one in candidates}
    names = ", ".join(str(one) for one in (*needed, *candidates))
    present = compared_in(votes)
    absent = [str(one) for one in needed if str(one.pk) not in present]
    absent += [str(one) for one in candidates if others.isdisjoint(present)]
    if absent:
        return votes, "no-votes", f"No counted vote is about {', '.join(absent)} yet."
    while True:
        state = vote_state(votes)
        if state.name == "ok":
            return votes, "ok", ""
        own = next((group for group in state.groups if keys <= set(group)), ())
        if not own or (others and others.isdisjoint(own)):
            return votes, state.name, MESSAGES[state.name] % names
        inside = np.isin(votes.seats, [votes.contestants.index(name) for name in own]) | (votes.seats == NOBODY)
        votes = votes.take(inside.all(axis=1))


def compared_in(votes: Votes) -> set[str]:
    """The keys of the contestants that the votes are about."""
    return {votes.contestants[code] for code in np.unique(votes.seats) if code != NOBODY}
