"""Is B better than A? The difference of two contestants, how sure it is, and when one may stop asking.

Formulas, sources and simulations in docs/comparison.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.covariance import Cluster, ClusteredCovariance
from rating.errors import RatingError, UnknownContestantError
from rating.joint import JointFit
from rating.suggest import nearest
from rating.votes import NOBODY, Votes

Verdict = Literal["A", "B", "undecided"]
Floats = NDArray[np.float64]

ELO = 400.0 / math.log(10.0)  # Elo points in one nat
SPREAD = 0.4  # nat: sd of the differences the stopping rule is tuned for; tightest where the error is near 25 points
SYMMETRIC = 12.0  # Beta(12, 12) has the sd of a win probability whose log odds have SPREAD
FARTHEST = 6.0  # standard errors up to which t and normal quantiles are matched one by one
MOST = 1e9
LARGEST = 690.0  # log of some 1e300


@dataclass(frozen=True)
class Comparison:
    """B against A, in nat; `ELO` times as much in Elo points.

    `difference` is B's log-strength less A's, `se` its standard error, `low` and `high` the interval for one look at a
    number of votes fixed in advance. `probability` that B is better, in [0, 1]. `always_low` and `always_high` hold the
    difference at all times at once, so one may look after every vote; `verdict` says whether they exclude 0.
    `a_wins`, `b_wins` and `draws` count the direct duels. `e_value` >= 0 is the exact evidence of those that are
    independent: under "equal" it ever exceeds 20 with probability at most 1/20.
    `more_votes` at the present mix, or else `more_duels` of the two by further voters, decide with the power asked for
    if the difference is as estimated: 0 where it is decided, None where no number would.
    """

    a: str
    b: str
    difference: float
    se: float
    dof: float
    low: float
    high: float
    probability: float
    always_low: float
    always_high: float
    verdict: Verdict
    a_wins: int
    b_wins: int
    draws: int
    e_value: float
    more_votes: int | None
    more_duels: int | None


@dataclass(frozen=True)
class Duels:
    """The direct duels of two contestants: wins, draws, and `e_value` of those that are independent (see Comparison).

    They have an answer even where one side won every vote, so that no estimate is finite.
    """

    a_wins: int
    b_wins: int
    draws: int
    e_value: float


def duels_between(votes: Votes, a: str, b: str, cluster: Cluster = "voter") -> Duels:
    """What the votes on a and b alone say. Of a cluster's duels the first counts as evidence."""
    duels = _direct_duels(votes, a, b)
    a_wins, b_wins, _ = _wins(_independent(duels.take(duels.ranks[:, 0] != duels.ranks[:, 1]), cluster), b)
    return Duels(*_wins(duels, b), evidence(b_wins, a_wins))


def compare(
    fit: JointFit,
    covariance: ClusteredCovariance,
    votes: Votes,
    a: str,
    b: str,
    *,
    fitted: int | None = None,
    cluster: Cluster = "voter",
    level: float = 0.95,
    power: float = 0.8,
) -> Comparison:
    """Compare b with a by all votes of the fit, direct or not, and by their direct duels alone.

    `votes` are those of the fit; or the direct duels alone, with the number `fitted` of all.
    `cluster` is that of the covariance; `level` and `power` lie in (0, 1).
    Raises UnknownContestantError for a name that has no estimate and RatingError for a contestant against itself.
    """
    at, bt = place_of(fit, a), place_of(fit, b)
    if at == bt:
        raise RatingError(f"cannot compare {a!r} with itself; name two contestants")
    difference = float(fit.estimate[bt] - fit.estimate[at])
    se, model_se = _se(covariance.matrix, at, bt), _se(fit.covariance(), at, bt)
    half = student.quantile((1.0 + level) / 2.0, covariance.dof) * se
    always = always_critical(se, level, covariance.dof) * se
    duels = duels_between(votes, a, b, cluster)
    decided = abs(difference) > always
    growth = 1.0 if decided else _growth(abs(difference), se, level, power)
    chance = 1.0 / (1.0 + math.exp(-abs(difference)))
    duel_information = chance * (1.0 - chance) / max(1.0, (se / model_se) ** 2)
    return Comparison(
        a=a,
        b=b,
        difference=difference,
        se=se,
        dof=covariance.dof,
        low=difference - half,
        high=difference + half,
        probability=float(student.cdf(difference / se, covariance.dof)),
        always_low=difference - always,
        always_high=difference + always,
        verdict=("B" if difference > 0 else "A") if decided else "undecided",
        a_wins=duels.a_wins,
        b_wins=duels.b_wins,
        draws=duels.draws,
        e_value=duels.e_value,
        more_votes=_whole((growth - 1.0) * (int(votes.counted.sum()) if fitted is None else fitted)),
        more_duels=_whole((growth - 1.0) / se**2 / duel_information),
    )


def elo_row(one: Comparison) -> Mapping[str, object]:
    """The comparison as a row to be shown: differences in Elo points, the verdict by name or "undecided"."""
    return {
        "a": one.a,
        "b": one.b,
        "difference": ELO * one.difference,
        "low": ELO * one.low,
        "high": ELO * one.high,
        "probability": one.probability,
        "always_low": ELO * one.always_low,
        "always_high": ELO * one.always_high,
        "verdict": {"A": one.a, "B": one.b}.get(one.verdict, one.verdict),
        "a_wins": one.a_wins,
        "b_wins": one.b_wins,
        "draws": one.draws,
        "e_value": one.e_value,
        "more_votes": one.more_votes,
        "more_duels": one.more_duels,
    }


def place_of(fit: JointFit, name: str) -> int:
    """Where a contestant is among those of the fit; raises UnknownContestantError for one without an estimate."""
    rated = [known for known, there in zip(fit.contestants, fit.took_part, strict=True) if there]
    if name not in rated:
        raise UnknownContestantError(f"no vote rates a contestant {name!r}{nearest(name, rated)}")
    return fit.contestants.index(name)


def always_critical(se: float, level: float = 0.95, dof: float = math.inf) -> float:
    """How many standard errors a difference must lie from 0 so that looking after every vote errs with 1 - level.

    Robbins' normal mixture over differences N(0, SPREAD^2), as an asymptotic confidence sequence with information
    1 / se^2 for time (Waudby-Smith et al. 2024, theorem 2.2), carried over to t quantiles of the same tail.
    """
    time = (SPREAD / se) ** 2
    critical = math.sqrt((1.0 + 1.0 / time) * (math.log1p(time) - 2.0 * math.log(1.0 - level)))
    if math.isinf(dof):
        return critical
    matched = min(critical, FARTHEST)
    return -student.quantile(NormalDist().cdf(-matched), dof) * critical / matched


def evidence(wins: int, losses: int) -> float:
    """The e-value of a series of decided duels against "each is a fair coin": a martingale over the duels.

    The likelihood ratio of a Beta(12, 12) mixture of win probabilities against 1/2; by Ville's inequality it ever
    reaches 1 / alpha with probability at most alpha (Ville 1939; Robbins 1970). At most 1e300.
    """
    log_ratio = _log_beta(SYMMETRIC + wins, SYMMETRIC + losses) - _log_beta(SYMMETRIC, SYMMETRIC)
    log_ratio += (wins + losses) * math.log(2.0)
    return math.exp(min(log_ratio, LARGEST))


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)


def _se(covariance: Floats, one: int, other: int) -> float:
    return math.sqrt(covariance[one, one] + covariance[other, other] - 2.0 * covariance[one, other])


def _growth(difference: float, se: float, level: float, power: float) -> float:
    """By how much the information has to grow until the difference is decided with the power; inf for never."""
    margin = NormalDist().inv_cdf(power)

    def decides(growth: float) -> bool:
        smaller = se / math.sqrt(growth)
        return difference >= (always_critical(smaller, level) + margin) * smaller

    low, high = 1.0, MOST
    if not decides(high):
        return math.inf
    while high / low > 1.0 + 1e-6:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _whole(count: float) -> int | None:
    return math.ceil(count) if count < MOST else None


def _direct_duels(votes: Votes, a: str, b: str) -> Votes:
    """The counted votes on these two alone, in their order."""
    codes = [votes.contestants.index(name) if name in votes.contestants else NOBODY for name in (a, b)]
    both = (votes.seats == codes[0]).any(axis=1) & (votes.seats == codes[1]).any(axis=1) & (NOBODY not in codes)
    return votes.take(votes.counted & both & (votes.sizes == 2))


def _independent(duels: Votes, cluster: Cluster) -> Votes:
    """The first duel of every cluster; under "both" those that share neither voter nor prompt with an earlier one."""
    sources: dict[Cluster, Sequence[NDArray[np.int32]]] = {
        "none": (),
        "voter": (duels.voter,),
        "prompt": (duels.prompt,),
        "both": (duels.voter, duels.prompt),
    }
    columns = [source.tolist() for source in sources[cluster]]
    seen: list[set[int]] = [set() for _ in columns]
    kept = []
    for at in range(len(duels)):
        if any(column[at] in met for column, met in zip(columns, seen, strict=True)):
            continue
        kept.append(at)
        for column, met in zip(columns, seen, strict=True):
            met.update({column[at]} - {NOBODY})
    return duels.take(np.array(kept, dtype=np.intp))


def _wins(duels: Votes, b: str) -> tuple[int, int, int]:
    """A's wins, B's wins and draws."""
    if not len(duels):
        return 0, 0, 0
    turned = duels.seats[:, 0] == duels.contestants.index(b)
    lead = np.sign(duels.ranks[:, 1] - duels.ranks[:, 0]) * np.where(turned, 1, -1)
    return int((lead < 0).sum()), int((lead > 0).sum()), int((lead == 0).sum())
