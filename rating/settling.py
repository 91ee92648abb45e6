"""How sure the values of a board are: intervals, rank ranges, and who is the best (docs/boards.md).

A value is folded vote by vote; its error needs all votes at once. `settle` computes it for any system of the boards.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.beliefs import ELO_PER_NAT, WIDE, joint, widened, widening
from rating.covariance import ClusteredCovariance, clustered_covariance
from rating.elo import EloSystem
from rating.elo_interval import elo_interval, forgetting, stationary_sd
from rating.errors import StateError
from rating.fitting import Beliefs, Cluster, FitOptions
from rating.graph import VoteState, vote_state
from rating.joint import fit_joint
from rating.onward import Onward
from rating.ranks import best_probability, ranges_of, separations
from rating.system import Estimate, RatingSystem, State
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, by_appearance
from rating.winrate import WinRateSystem, winrate_covariance

LEVEL = 0.95
# Enough for a quantile within 0.03 of its place, at a fifth of the time that `python -m rating` takes.
DRAWS = 2000
SEED = 0
METHOD = f"settled/3 {LEVEL:g}"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointSystem:
    """The order-free likelihood as a metric. It keeps no state: its values are settled from all votes at once, and move
    onward with those cast since (rating.onward).
    """

    order_check: int = 0
    metric: str = field(default="joint", init=False)

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return "joint/1 ties=davidson left-seat"

    def start(self) -> State:
        """Nothing is kept."""
        return {}

    def fold(self, state: State, votes: Votes) -> State:
        """Nothing is kept."""
        return state

    def standings(self, state: State) -> dict[str, Estimate]:
        """None: they are settled."""
        return {}


@dataclass(frozen=True)
class Settled:
    """`rows` by contestant: `value` (of the joint likelihood; None where folding makes it), `reach` (half the
    interval), `rank` and `rank_high` (the simultaneous range; 1 is the best), `best` (its probability of being that).

    `state` and `message` say why there are none. Of all `pairs` of contestants, `decided` are separated. `voters` cast
    the counted votes. `left_out` won, or lost, every comparison with the others: the likelihood alone has no finite
    value for them. `onward` says how further votes move the values (rating.onward; empty where folding makes them).
    """

    state: str
    message: str
    rows: dict[str, dict[str, float | int | None]]
    pairs: int
    decided: int
    voters: int
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    onward: State = field(default_factory=dict)


def settle(system: RatingSystem, state: State, votes: Votes, *, cluster: Cluster = "voter") -> Settled:
    """The error of the values that `system` folded from these votes into `state`.

    The same votes under other names give the same bits: of the arena, and of its export read elsewhere.
    """
    votes = by_appearance(votes)
    voters = len(np.unique(votes.voter[votes.counted & (votes.voter >= 0)]))
    allowed = vote_state(votes)
    if allowed.name not in ("ok", "separated"):
        return _without(allowed, voters)
    left_out: tuple[str, ...] = ()
    if isinstance(system, JointSystem):
        votes, left_out = comparable(votes)
    try:
        found = believed(system, state, votes, cluster=cluster)
    except StateError as error:
        return _without(VoteState("separated", str(error)), voters)
    mean, covariance, rng = found.mean, found.covariance, np.random.default_rng(SEED)
    separated = separations(mean, covariance, dof=found.dof, level=LEVEL, rng=rng, draws=DRAWS)
    ranges = ranges_of(mean, separated)
    best = best_probability(mean, covariance, dof=found.dof, rng=rng, draws=DRAWS)
    reach = student.quantile(0.5 + LEVEL / 2, found.dof) * np.sqrt(np.diag(covariance))
    valued = isinstance(system, JointSystem)
    rated = np.flatnonzero(np.isfinite(mean))
    rows = {
        found.contestants[at]: {
            "value": float(mean[at]) if valued else None,
            "reach": float(reach[at]),
            "rank": int(ranges.low[at]),
            "rank_high": int(ranges.high[at]),
            "best": float(best[at]),
        }
        for at in rated
    }
    pairs = len(rated) * (len(rated) - 1) // 2
    onward: State = {}
    if found.fit is not None:
        in_nat = ClusteredCovariance(covariance * found.nat**2, found.dof)
        onward = Onward.of(found.fit, in_nat, int(votes.counted.sum())).as_state()
    return Settled("ok", "", rows, pairs, int(separated.sum()), voters, found.notes, left_out, onward)


def comparable(votes: Votes) -> tuple[Votes, tuple[str, ...]]:
    """The votes within the largest group whose members all have finite distances, and who is left out for that.

    A vote of four that seats one left out goes too, and what is left may come apart again.
    """
    left_out: list[str] = []
    state = vote_state(votes)
    while state.name != "ok" and state.groups and len(state.groups[0]) > 1:
        left_out += [name for other in state.groups[1:] for name in other]
        votes = votes.among(state.groups[0])
        state = vote_state(votes)
    return votes, tuple(left_out)


def believed(system: RatingSystem, state: State, votes: Votes, *, cluster: Cluster = "voter") -> Beliefs:
    """Values and their covariance in the system's unit. Raises StateError where the votes determine none by it."""
    options = FitOptions(cluster=cluster, level=LEVEL, seed=SEED)
    make: dict[type, Callable[[Any, State, Votes, FitOptions], Beliefs]] = {
        TrueSkillSystem: _trueskill,
        EloSystem: _elo,
        WinRateSystem: _winrate,
        JointSystem: lambda system, state, votes, options: joint(votes, options),
    }
    return make[type(system)](system, state, votes, options)


def _without(state: VoteState, voters: int) -> Settled:
    return Settled(state.name, state.message, {}, 0, 0, voters)


def _trueskill(system: TrueSkillSystem, state: State, votes: Votes, options: FitOptions) -> Beliefs:
    """The beliefs, their sds widened by what clusters of votes do to the joint likelihood's."""
    standings = system.standings(state)
    mu = _by_code(votes, {name: one.mu for name, one in standings.items() if one.mu is not None})
    sigma = _by_code(votes, {name: one.sigma for name, one in standings.items() if one.sigma is not None})
    wider = widened(sigma, system.sigma, widening(votes, options))
    return Beliefs(votes.contestants, mu, np.diag(wider**2), nat=1.0)


def _elo(system: EloSystem, state: State, votes: Votes, options: FitOptions) -> Beliefs:
    if system.ranked_by == "average":
        return _averaged(system, state, votes, options)
    found = elo_interval(system, votes, cluster=options.cluster, rng=np.random.default_rng(options.seed))
    return Beliefs(votes.contestants, found.value, found.covariance, nat=1.0 / ELO_PER_NAT)


def _averaged(system: EloSystem, state: State, votes: Votes, options: FitOptions) -> Beliefs:
    """The average over the last half of the votes, with the error of the likelihood on that half.

    The average of a stochastic approximation with many steps has the covariance of the likelihood's maximum on the
    same votes (Polyak and Juditsky 1992). Two biases are added: wandering ratings stretch the average, for the mean
    of a logistic of variance v more is flatter by sqrt(1 + pi v / 8) (MacKay 1992); and the first ratings are not
    forgotten (rating.elo_interval), on average as after three quarters of the votes.
    """
    standings = system.standings(state)
    value = _by_code(votes, {name: one.value for name, one in standings.items()})
    counted = votes.take(votes.counted)
    late = counted.take(np.arange(len(counted)) >= len(counted) // 2)
    fit = fit_joint(late, ridge=WIDE, left_seat=False)
    clustered = clustered_covariance(fit, late, options.cluster)
    matrix = np.where(np.isfinite(clustered.matrix), clustered.matrix, 0.0) * ELO_PER_NAT**2
    absent = ~fit.took_part
    matrix[absent, absent] = (WIDE * ELO_PER_NAT) ** 2
    spread = 2.0 * (stationary_sd(system.k, 10**9) / ELO_PER_NAT) ** 2
    gone = np.nan_to_num(value - system.initial)
    stretch = gone * (1.0 - 1.0 / math.sqrt(1.0 + math.pi * spread / 8.0))
    most = counted.take(np.arange(len(counted)) % 4 != 3)
    short = forgetting(np.nan_to_num(value, nan=system.initial), most, system.k)[1] @ gone
    matrix += np.outer(stretch, stretch) + np.outer(short, short)
    return Beliefs(votes.contestants, value, matrix, nat=1.0 / ELO_PER_NAT, dof=clustered.dof)


def _winrate(system: WinRateSystem, state: State, votes: Votes, options: FitOptions) -> Beliefs:
    value = _by_code(votes, {name: one.value for name, one in system.standings(state).items()})
    covariance, dof = winrate_covariance(votes, options.cluster)
    return Beliefs(votes.contestants, value, covariance, nat=1.0, dof=dof)


def _by_code(votes: Votes, values: Mapping[str, float]) -> Floats:
    return np.array([values.get(name, math.nan) for name in votes.contestants])
