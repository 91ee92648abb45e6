"""What a comparison stands on: the settled board `joint`, or a fit of the votes that are about the contestants."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.gallery.models import Contestant
from arena.leaderboard.folding import folded
from arena.leaderboard.log import Slice, counted_votes, direct_duels
from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import SETTLED_AT_ONCE, is_current, log_length
from rating.covariance import Cluster, ClusteredCovariance, clustered_covariance
from rating.errors import StateError
from rating.graph import vote_state
from rating.joint import JointFit, fit_joint
from rating.onward import Onward
from rating.votes import NOBODY, Votes, by_appearance

MESSAGES = {
    "no-votes": "No counted vote is left that compares %s.",
    "all-draws": "All votes on %s are draws: nothing tells them apart.",
    "disconnected": "%s never met, directly or over others. Let contestants of both sides meet.",
    "separated": "Among %s some never lost to the others, nor drew, so the difference has no finite estimate yet. "
    "Collect more votes between them; a TrueSkill board has values meanwhile.",
    "unsettled": "The votes on %s are still being counted. Ask again in a minute.",
}


class NoBasisError(Exception):
    """The votes allow no comparison. `state` is "no-votes", "all-draws", "disconnected", "separated" or "no-estimate";
    or "unsettled" where there are too many of them to be counted at once. The text says what to do.
    """

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True, eq=False)
class Basis:
    """The joint fit of `counted` votes and its clustered covariance. `set_aside` more votes have nothing to do with it,
    and `behind` of the log came since. `duels` gives, by key, at least the votes of the fit on two contestants alone.
    """

    fit: JointFit
    covariance: ClusteredCovariance
    counted: int
    set_aside: int
    duels: Callable[[int, int], Votes]
    behind: int = 0

    @property
    def rated(self) -> set[str]:
        """The keys of the contestants that have a strength."""
        return {name for name, there in zip(self.fit.contestants, self.fit.took_part, strict=True) if there}


def settled_basis(
    run: RatingRun, chosen: Slice, needed: Sequence[Contestant], candidates: Sequence[Contestant], *, patient: bool
) -> Basis | None:
    """The settlement of a board `joint`; None where it does not hold all of `needed` and one of the candidates.

    Raises NoBasisError where they may be in the next settlement, of too many votes to wait for, unless `patient`.
    """
    settled = run.settled
    if settled.get("onward") and folded(run).comparable:
        onward = Onward.from_state(settled["onward"])
        basis = Basis(
            onward.fit,
            onward.covariance,
            onward.fitted,
            settled["counted"] - onward.fitted,
            lambda one, other: direct_duels(chosen, one, other, settled["through"]),
            max(0, run.counted - settled["counted"]) + (0 if run.complete else log_length() - run.through),
        )
        if _holds(basis.rated, needed, candidates):
            return basis
    if not patient and run.counted > SETTLED_AT_ONCE and not is_current(run):
        raise NoBasisError("unsettled", MESSAGES["unsettled"] % _names(needed, candidates))
    return None


def whole_basis(
    chosen: Slice,
    through: int | None,
    needed: Sequence[Contestant],
    candidates: Sequence[Contestant],
    cluster: Cluster,
) -> Basis:
    """A fit of the votes up to number `through` (None: of all). Raises NoBasisError."""
    everything = by_appearance(counted_votes(chosen, through))
    votes = comparable(everything, needed, candidates)
    try:
        fit = fit_joint(votes)
        covariance = clustered_covariance(fit, votes, cluster)
    except StateError as error:
        raise NoBasisError("no-estimate", str(error)) from error
    return Basis(fit, covariance, len(votes), len(everything) - len(votes), lambda one, other: votes)


def comparable(votes: Votes, needed: Sequence[Contestant], candidates: Sequence[Contestant] = ()) -> Votes:
    """The votes that compare all of `needed` with one another and with at least one candidate where there are any.

    Groups that never met, or never lost to the others, say nothing about differences inside the group that holds those
    asked for: votes that reach beyond it are set aside. Raises NoBasisError where there are no such votes.
    """
    present = {votes.contestants[code] for code in np.unique(votes.seats) if code != NOBODY}
    absent = [str(one) for one in needed if str(one.pk) not in present]
    absent += [str(one) for one in candidates if not _holds(present, [], candidates)]
    if absent:
        raise NoBasisError("no-votes", f"No counted vote is about {', '.join(absent)} yet.")
    while True:
        state = vote_state(votes)
        if state.name == "ok":
            return votes
        own = next((group for group in state.groups if _holds(set(group), needed, candidates)), ())
        if not own:
            raise NoBasisError(state.name, MESSAGES[state.name] % _names(needed, candidates))
        votes = votes.among(own)


def _holds(keys: set[str], needed: Sequence[Contestant], candidates: Sequence[Contestant]) -> bool:
    others = {str(one.pk) for one in candidates}
    return {str(one.pk) for one in needed} <= keys and (not others or not others.isdisjoint(keys))


def _names(needed: Sequence[Contestant], candidates: Sequence[Contestant]) -> str:
    return ", ".join(str(one) for one in (*needed, *candidates))
