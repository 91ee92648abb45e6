"""What figures need of all votes at once: who beat whom, strengths, ratings over votes (docs/figures.md).

It is computed anew, by the worker where there are many votes, and kept as arrays in a `Study`. Votes are the truth: a
study can be thrown away at any time.
"""

from dataclasses import dataclass, fields
from datetime import timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from arena.leaderboard.log import Exclusions, Slice, counted_votes
from arena.leaderboard.models import Study
from arena.leaderboard.packing import pack, unpack
from arena.leaderboard.replay import SETTLED_AT_ONCE, log_length
from rating.comparison import ELO
from rating.covariance import clustered_covariance
from rating.errors import StateError
from rating.graph import beat_counts, vote_state
from rating.joint import fit_joint
from rating.registry import rating_system
from rating.settling import comparable
from rating.snapshots import snapshots, stops
from rating.votes import Votes

METHODOLOGY = "study/1 joint ties=davidson left-seat by voter"
POINTS = 40
# The log may grow by this share, or a study get this old, before it is made anew.
GROWTH = 0.02
OLD = timedelta(minutes=10)
HISTORIES = ("elo", "elo-twa", "trueskill")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Findings:
    """Of n contestants by key (n,), those with counted votes.

    `beats` (n, n) counts how often the row was placed before the column, `ties` (n, n) how often they tied. `strength`
    (n,) is in Elo points around 1500, nan for those that won, or lost, every comparison with the rest; `covariance`
    (n, n) is theirs in points squared, clustered by voter, with `dof` degrees of freedom. `at` (T,) are vote counts,
    and `elo`, `elo_twa`, `trueskill` (T, n) the ratings (the last one in mu) after so many votes, nan before the first.
    """

    contestants: NDArray[np.int64]
    beats: NDArray[np.int64]
    ties: NDArray[np.int64]
    strength: Floats
    covariance: Floats
    dof: Floats
    at: NDArray[np.int64]
    elo: Floats
    elo_twa: Floats
    trueskill: Floats

    def history(self, metric: str) -> Floats:
        """(T, n) the ratings of a metric of HISTORIES."""
        return np.asarray(getattr(self, metric.replace("-", "_")))


ARRAYS = tuple(field.name for field in fields(Findings))


@dataclass(frozen=True)
class Studied:
    """A study as a page has it. `state` is that of a board, or "unknown" before the first study; `behind` votes of the
    log came since; `stale` says whether it is to be made anew."""

    state: str
    counted: int
    through: int
    behind: int
    findings: Findings | None
    row: Study | None
    stale: bool


def study(chosen: Slice, *, patient: bool = False) -> Studied:
    """The study of these votes: made anew at once where they are few, or `patient`; else what is kept.

    Raises UnknownBoardError and ReplayError as `counted_votes` does.
    """
    kept = Study.objects.filter(**_board(chosen)).first()
    length = log_length()
    stale = kept is None or is_stale(kept, length)
    if stale and (patient or length <= SETTLED_AT_ONCE):
        kept, stale = renew(chosen), False
    elif kept is None:
        kept, _ = Study.objects.get_or_create(**_board(chosen))
    findings = Findings(**unpack(bytes(kept.data))) if kept.data else None
    behind = max(0, length - kept.through)
    return Studied(kept.state or "unknown", kept.counted, kept.through, behind, findings, kept, stale)


def is_stale(kept: Study, length: int) -> bool:
    """Whether a study is to be made anew, for a log of so many votes."""
    if not kept.state or kept.methodology != METHODOLOGY or Exclusions(*kept.exclusions) != Exclusions.now():
        return True
    new = length - kept.through
    return new > 0 and (
        length <= SETTLED_AT_ONCE or new > GROWTH * kept.through or timezone.now() - kept.updated_at > OLD
    )


def renew(chosen: Slice) -> Study:
    """Study the votes there are now, and keep the result unless a later one is kept already."""
    now, through = Exclusions.now(), log_length()
    votes = counted_votes(chosen, through)
    state, findings = findings_of(votes)
    found = {
        "methodology": METHODOLOGY,
        "through": through,
        "counted": len(votes),
        "state": state,
        "data": pack(findings, ARRAYS),
        "exclusions": [now.count, now.last],
        "claimed_at": None,
        "updated_at": timezone.now(),
    }
    with transaction.atomic():
        row, _ = Study.objects.select_for_update(no_key=True).get_or_create(**_board(chosen))
        if row.through <= through:
            Study.objects.filter(pk=row.pk).update(**found)
            row.refresh_from_db()
    return row


def findings_of(votes: Votes) -> tuple[str, Findings]:
    """The state of counted votes, and what they say at once."""
    beats, ties = beat_counts(votes)
    taking_part = np.flatnonzero((beats + beats.T + ties).any(axis=1))
    state, strength, covariance, dof = _strengths(votes)
    at = stops(len(votes), POINTS)
    histories = {
        "elo": snapshots(rating_system("elo"), votes, at),
        "elo_twa": snapshots(rating_system("elo-twa"), votes, at),
        "trueskill": snapshots(rating_system("trueskill"), votes, at, lambda estimate: estimate.mu),
    }
    own = np.ix_(taking_part, taking_part)
    return state, Findings(
        contestants=np.array([int(votes.contestants[code]) for code in taking_part], np.int64),
        beats=beats[own],
        ties=ties[own],
        strength=strength[taking_part],
        covariance=covariance[own],
        dof=np.array(dof),
        at=at.astype(np.int64),
        **{name: values[:, taking_part] for name, values in histories.items()},
    )


def _strengths(votes: Votes) -> tuple[str, Floats, Floats, float]:
    """The state, and strength (n,), covariance (n, n) in Elo points and degrees of freedom of the largest group whose
    members all have finite distances."""
    n = len(votes.contestants)
    nothing = np.full(n, np.nan), np.full((n, n), np.nan), np.inf
    allowed = vote_state(votes)
    if allowed.name not in ("ok", "separated"):
        return allowed.name, *nothing
    votes, _ = comparable(votes)
    try:
        fit = fit_joint(votes)
        clustered = clustered_covariance(fit, votes, "voter")
    except StateError:
        return "separated", *nothing
    return "ok", 1500.0 + ELO * fit.estimate[:n], ELO**2 * clustered.matrix, clustered.dof


def _board(chosen: Slice) -> dict[str, str]:
    return {"poll": chosen.poll, "population": chosen.population, "cut": chosen.cut}
