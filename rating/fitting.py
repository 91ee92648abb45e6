"""One way to rate votes by any system: values, intervals, rank ranges and tiers of each contestant (docs/rating.md)."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.acceptability import fit_acceptability
from rating.errors import StateError
from rating.graph import VoteState, vote_state
from rating.joint import JointFit
from rating.ranks import RankRanges, best_probability, rank_ranges
from rating.system import Report, quiet
from rating.tally import Tally, count
from rating.votes import BAD, Votes

System = Literal["elo", "trueskill", "trueskill2", "joint"]
Cluster = Literal["none", "voter", "prompt", "both"]
Ties = Literal["davidson", "rao-kupper", "half"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitOptions:
    """What may be chosen about a rating.

    `k` and `initial` are Elo's, and `clock`, `window` and `half_life` those of its average (rating.averages); `mu`,
    `sigma`, `beta`, `tau`, `draw_probability` (None: learned for each poll) and `backend` are TrueSkill's and `compat`
    makes it do as the trueskill package does; `lineage` gives (run, epoch) of contestants to TrueSkill 2; `ties` and
    `left_seat` are the joint likelihood's, and `bootstrap` the number of resamples behind its intervals (0: none, by
    formula). `cluster` names what votes are not independent within, `level` in (0, 1) is that of every interval, `seed`
    that of everything random; `compiled` takes the loops of Elo, TrueSkill and joint from the extra `fast`.
    """

    system: System = "trueskill"
    k: float = 32.0
    initial: float = 1500.0
    clock: Literal["votes", "wall"] = "votes"
    window: float | None = None
    half_life: float | None = None
    mu: float = 25.0
    sigma: float = 25 / 3
    beta: float = 25 / 6
    tau: float | None = None
    draw_probability: float | None = None
    compat: bool = False
    backend: Literal["own", "trueskill-package"] = "own"
    compiled: bool = False
    lineage: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    ties: Ties = "davidson"
    left_seat: bool = True
    cluster: Cluster = "voter"
    bootstrap: int = 0
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What a system believes of n contestants: `mean` (n,) and `covariance` (n, n) of its unit, nan for the unrated.

    `nat` is the size of one unit in nat, the log of odds. `dof` are the degrees of freedom behind the covariance, inf
    for a normal law. `columns` holds further numbers (n,) to be shown, by name. `notes` says what else was learned.
    `fit` is the joint fit where that is the system.
    """

    contestants: tuple[str, ...]
    mean: Floats
    covariance: Floats
    nat: float
    dof: float = np.inf
    columns: Mapping[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fit: JointFit | None = None


@dataclass(frozen=True)
class Rated:
    """One row for each contestant with a counted vote, best first; `state` says why where the rows hold no numbers,
    and that votes are "separated" where only a prior gave them some.

    A row has `contestant`, `value` with its interval `low` to `high`, the simultaneous rank range `rank_low` to
    `rank_high` (1 is the best), `votes`, `wins`, `draws`, `losses`, `tier`, `best_probability`, those of its system,
    `passing` with its interval where votes called all seats bad, and the name of the `state` of the votes.
    """

    state: VoteState
    rows: list[dict[str, object]]
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> bool:
        """Whether the rows hold any."""
        return any(row["value"] is not None for row in self.rows)


# By dotted path: a system is imported when it is asked for, and none of them waits for the others' libraries.
BELIEFS: dict[System, str] = {
    "elo": "rating.beliefs.elo",
    "trueskill": "rating.beliefs.trueskill",
    "trueskill2": "rating.beliefs_trueskill2.trueskill2",
    "joint": "rating.beliefs.joint",
}
# The further numbers that each always has; TrueSkill 2 also has one for each of several polls.
COLUMNS: dict[System, tuple[str, ...]] = {
    "elo": ("average",),
    "trueskill": ("mu", "sigma", "conservative"),
    "trueskill2": ("mu", "sigma", "conservative"),
    "joint": ("strength",),
}
RESAMPLED = "rating.beliefs_resampled.resampled"


def beliefs(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """What the system makes of the counted votes; `report` is told how far it is.

    Raises StateError where they determine no rating by it.
    """
    return _beliefs(votes, options, vote_state(votes), report)


def _beliefs(votes: Votes, options: FitOptions, state: VoteState, report: Report) -> Beliefs:
    if state.name not in ("ok", "separated"):
        raise StateError(state.message)
    resampled = options.system == "joint" and options.bootstrap > 0
    module, name = (RESAMPLED if resampled else BELIEFS[options.system]).rsplit(".", 1)
    make: Callable[[Votes, FitOptions, Report], Beliefs] = getattr(importlib.import_module(module), name)
    report(f"fitting {options.system}", 0, 0)
    return make(votes, options, report)


def rate(votes: Votes, options: FitOptions, report: Report = quiet) -> Rated:
    """Rate every contestant; rows without numbers, and the reason, where the votes determine none.

    `report` is told how far it is.
    """
    tallies = count({}, votes)
    passing = _passing(votes, options.level)
    state = vote_state(votes)
    try:
        found = _beliefs(votes, options, state, report)
    except StateError as error:
        if state.name in ("ok", "separated"):
            state = VoteState("separated", str(error), state.groups)
        rows = [_unrated(name, tallies[name], options.system) for name in sorted(tallies)]
        return Rated(state, _stated(rows, state))
    report("ranking", 0, 0)
    rng = np.random.default_rng(options.seed)
    ranges = rank_ranges(found.mean, found.covariance, dof=found.dof, level=options.level, rng=rng)
    best = best_probability(found.mean, found.covariance, dof=found.dof, rng=rng)
    reach = student.quantile(0.5 + options.level / 2, found.dof) * np.sqrt(np.diag(found.covariance))
    rated = np.flatnonzero(np.isfinite(found.mean))
    order = rated[np.lexsort((rated, -found.mean[rated]))]
    rows = [
        _row(found, int(at), tallies[found.contestants[at]], float(reach[at]), ranges, float(best[at])) for at in order
    ]
    for row in rows:
        row.update(passing.get(str(row["contestant"]), {}))
    return Rated(state, _stated(rows, state), found.notes)


def _stated(rows: list[dict[str, object]], state: VoteState) -> list[dict[str, object]]:
    return [{**row, "state": state.name} for row in rows]


def _passing(votes: Votes, level: float) -> dict[str, dict[str, float]]:
    """By contestant, the share of its images that pass, where any vote called all seats bad (rating.acceptability)."""
    if not (votes.kinds == BAD).any() or not votes.counted.any():
        return {}
    found = fit_acceptability(votes, level=level)
    columns = zip(found.contestants, found.share.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    return {name: {"passing": share, "passing_low": low, "passing_high": high} for name, share, low, high in columns}


def _row(found: Beliefs, at: int, tally: Tally, reach: float, ranges: RankRanges, best: float) -> dict[str, object]:
    value = float(found.mean[at])
    return {
        "contestant": found.contestants[at],
        "value": value,
        "low": value - reach,
        "high": value + reach,
        "rank_low": int(ranges.low[at]),
        "rank_high": int(ranges.high[at]),
        **_counts(tally),
        "tier": int(ranges.tier[at]),
        "best_probability": best,
        **{name: float(column[at]) for name, column in found.columns.items()},
    }


def _unrated(contestant: str, tally: Tally, system: System) -> dict[str, object]:
    """As `_row`, without the numbers."""
    before = dict.fromkeys(("value", "low", "high", "rank_low", "rank_high"))
    behind = dict.fromkeys(("tier", "best_probability", *COLUMNS[system]))
    return {"contestant": contestant, **before, **_counts(tally), **behind}


def _counts(tally: Tally) -> dict[str, object]:
    return {"votes": tally.votes, "wins": tally.wins, "draws": tally.draws, "losses": tally.losses}
