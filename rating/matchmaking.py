"""Who should meet next: the matchup that says most about the ranking for its cost (docs/matchmaking.md)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rating.errors import MatchupError
from rating.simulation import Answer

Method = Literal["a-optimal", "information-gain", "balanced-random", "uniform"]
Floats = NDArray[np.float64]
Codes = tuple[int, ...]
EXPLORATION = 0.05


class Posterior(NamedTuple):
    """What is believed of n strengths, in nat: `mean` (n,) and `covariance` (n, n). Only differences matter."""

    mean: Floats
    covariance: Floats


@dataclass(frozen=True)
class Question:
    """What a poll asks of a matchup: how many seats (>= 2), what may be answered, and Davidson's nu of "draws"."""

    seats: int = 2
    answer: Answer = "duel"
    tie: float = 0.0


@dataclass(frozen=True)
class Costs:
    """Seconds that a matchup takes: the voter's, and `gpu_seconds` for each contestant without an image (`cached`)."""

    gpu_seconds: float = 0.0
    voter_seconds: float = 1.0
    cached: frozenset[int] = frozenset()

    def of(self, groups: NDArray[np.integer]) -> Floats:
        """(...,) seconds for groups of contestants (..., k)."""
        if not self.gpu_seconds:
            return np.full(groups.shape[:-1], self.voter_seconds)
        missing = np.ones(1 + max(int(groups.max(initial=0)), *self.cached, 0))
        missing[list(self.cached)] = 0
        return np.asarray(self.voter_seconds + self.gpu_seconds * missing[groups].sum(axis=-1))


@dataclass(frozen=True)
class Choice:
    """A matchup to show: contestants' codes in the order of the seats.

    `probability` is that of choosing this set of contestants, given the earlier choices of its batch; each order of the
    seats is equally likely. `value` is what its answer is expected to bring: by "information-gain" nats of information,
    by the other methods the decrease of `criterion`. `cost` is in seconds.
    """

    seats: Codes
    probability: float
    value: float
    cost: float

    @property
    def value_per_second(self) -> float:
        """What the choice is ranked by."""
        return self.value / self.cost


@dataclass(frozen=True)
class Plan:
    """A distribution over sets of `seats` contestants out of `allowed`.

    With probability 1 - `exploration` the set holds all `certain` ones, filled up evenly at random from `rest`;
    else it is any set, all equally likely.
    """

    certain: Codes
    rest: Codes
    allowed: Codes
    seats: int
    exploration: float

    def probability(self, group: Collection[int]) -> float:
        """Of exactly this set of contestants."""
        members = set(group)
        if len(members) != self.seats or not members <= set(self.allowed):
            return 0.0
        fits = set(self.certain) <= members <= {*self.certain, *self.rest}
        planned = fits / comb(len(self.rest), self.seats - len(self.certain))
        return (1 - self.exploration) * planned + self.exploration / comb(len(self.allowed), self.seats)

    def draw(self, rng: np.random.Generator) -> Codes:
        """A set of contestants in random order of seats."""
        explore = rng.random() < self.exploration
        certain, rest = ((), self.allowed) if explore else (self.certain, self.rest)
        filled = rng.permutation(len(rest))[: self.seats - len(certain)]
        group = [*certain, *(rest[at] for at in filled)]
        return tuple(group[at] for at in rng.permutation(self.seats))


def choose(
    posterior: Posterior,
    question: Question,
    *,
    count: int = 1,
    method: Method = "a-optimal",
    costs: Costs | None = None,
    allowed: Sequence[int] | None = None,
    exposure: NDArray[np.integer] | None = None,
    exploration: float = EXPLORATION,
    rng: np.random.Generator,
) -> list[Choice]:
    """The next `count` matchups among the `allowed` contestants (codes; all when None), planned one after the other.

    "a-optimal" and "information-gain" take the greatest value per second, and reckon with the answers of the matchups
    already planned, so that a batch spreads. "balanced-random" takes those with the least `exposure` (n,), ties at
    random; "uniform" takes any. Each mixes in a share `exploration` of uniformly random matchups.
    Raises MatchupError for fewer contestants than seats, numbers out of range, or a posterior that is no covariance.
    """
    mean, covariance = (np.asarray(part, np.float64) for part in posterior)
    costs = costs or Costs()
    open_to = tuple(range(len(mean))) if allowed is None else tuple(sorted(set(allowed)))
    _check(mean, covariance, question, costs, open_to, exploration)
    seen = np.zeros(len(mean), np.int64) if exposure is None else np.array(exposure, np.int64)
    choices = []
    for _ in range(count):
        belief = Posterior(mean, covariance)
        spread = None if method == "information-gain" else _spread(belief)
        certain, rest = Codes(), open_to
        if method == "balanced-random":
            certain, rest = _least_seen(seen, open_to, question.seats)
        elif method != "uniform":
            certain, rest = _most_valuable(belief, question, method, costs, open_to, spread), Codes()
        plan = Plan(certain, rest, open_to, question.seats, exploration)
        seats = plan.draw(rng)
        group = np.array([seats])
        value = float(values(belief, question, group, method, spread=spread)[0])
        choices.append(Choice(seats, plan.probability(seats), value, float(costs.of(group)[0])))
        seen[list(seats)] += 1
        if len(choices) < count:
            covariance = expected_covariance(belief, question, seats)
    return choices


def pair_weights(posterior: Posterior) -> Floats:
    """(n, n) how much the order of each pair is in question: the posterior density of its difference at zero.

    w = phi(d/s)/s for a difference d with standard deviation s; 0 where s is 0.
    """
    mean, covariance = posterior
    s = np.sqrt(np.maximum(_variances(covariance), 0.0))
    np.fill_diagonal(s, 0.0)
    safe = np.where(s > 0, s, np.inf)
    return np.exp(-0.5 * ((mean[:, None] - mean) / safe) ** 2) / (np.sqrt(2 * np.pi) * safe)


def criterion(weights: Floats, covariance: Floats) -> float:
    """The weighted sum of the variances of all pairs' differences, tr(L S) with L the weights' Laplacian."""
    return float(np.sum(weights * _variances(covariance)) / 2)


def information(utility: Floats, question: Question) -> Floats:
    """(..., k, k) Fisher information of one answer about the strengths (..., k) shown.

    A pick is a softmax p: diag(p) - p p'. Draws follow Davidson (1970). A ranking is a Plackett-Luce sequence of picks,
    averaged over who is picked before (Hunter 2004, section 4).
    """
    if utility.shape[-1] == 2:
        return _pair_information(utility, question.tie)[..., None, None] * np.array([[1.0, -1.0], [-1.0, 1.0]])
    if question.answer == "ranking":
        return _ranking_information(utility)
    p = np.exp(utility - utility.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p[..., :, None] * (np.eye(p.shape[-1]) - p[..., None, :])


def values(
    posterior: Posterior,
    question: Question,
    groups: NDArray[np.integer],
    method: Method = "a-optimal",
    *,
    spread: Floats | None = None,
) -> Floats:
    """(c,) what an answer on each of the groups (c, k) is worth: the decrease of the criterion, or nats of information.

    With M = (I + H S)^-1 H on the group's block, the expected covariance is S - S M S, so that tr(L S) falls by
    tr(M B), B = S L S; for a pair that is h/(1 + v h) (B_ii + B_jj - 2 B_ij). The information is log det(I + H S) / 2.
    `spread` is B, where it is known already.
    """
    mean, covariance = posterior
    informs = method == "information-gain"
    b = covariance if informs else _spread(posterior) if spread is None else spread
    if groups.shape[1] == 2:
        h, v = _pair_information(mean[groups], question.tie), _difference(covariance, groups)
        return 0.5 * np.log1p(v * h) if informs else np.asarray(h / (1 + v * h) * _difference(b, groups))
    h = information(mean[groups], question)
    block = (groups[:, :, None], groups[:, None, :])
    gain = np.eye(groups.shape[1]) + h @ covariance[block]
    if informs:
        return 0.5 * np.asarray(np.linalg.slogdet(gain)[1])
    return np.asarray(np.sum(np.linalg.solve(gain, h) * b[block], axis=(1, 2)))


def expected_covariance(posterior: Posterior, question: Question, group: Sequence[int]) -> Floats:
    """(n, n) the covariance after one more answer on a group, whichever it is, in Laplace's approximation."""
    mean, covariance = posterior
    at = np.array(group)
    h = information(mean[at], question)
    m = np.linalg.solve(np.eye(len(at)) + h @ covariance[np.ix_(at, at)], h)
    after = covariance - covariance[:, at] @ m @ covariance[at]
    return (after + after.T) / 2


def _most_valuable(
    belief: Posterior, question: Question, method: Method, costs: Costs, allowed: Codes, spread: Floats | None
) -> Codes:
    """The pair of the greatest value per second, then one more contestant at a time, the best addition each."""
    codes = np.array(allowed)
    groups = codes[np.column_stack(np.triu_indices(len(codes), 1))]
    while True:
        rate = values(belief, question, groups, method, spread=spread) / costs.of(groups)
        best = groups[int(np.argmax(rate))]
        if len(best) == question.seats:
            return tuple(int(code) for code in best)
        others = codes[(codes[:, None] != best).all(axis=1)]
        groups = np.column_stack([np.tile(best, (len(others), 1)), others])


def _least_seen(seen: NDArray[np.int64], allowed: Codes, seats: int) -> tuple[Codes, Codes]:
    """Those that are surely among the least seen, and those that tie for the seats that remain."""
    limit = sorted(seen[list(allowed)])[seats - 1]
    certain = tuple(code for code in allowed if seen[code] < limit)
    return certain, tuple(code for code in allowed if seen[code] == limit)


def _spread(posterior: Posterior) -> Floats:
    """B = S L S (n, n): how the criterion depends on what is learned of each difference."""
    weights = pair_weights(posterior)
    return posterior.covariance @ (np.diag(weights.sum(axis=1)) - weights) @ posterior.covariance


def _variances(covariance: Floats) -> Floats:
    """(n, n) the variance of each pair's difference."""
    own = np.diag(covariance)
    return np.asarray(own[:, None] + own - 2 * covariance)


def _difference(matrix: Floats, pairs: NDArray[np.integer]) -> Floats:
    """(c,) e' A e for e = e_i - e_j."""
    i, j = pairs.T
    return matrix[i, i] + matrix[j, j] - 2 * matrix[i, j]


def _pair_information(utility: Floats, tie: float) -> Floats:
    """(...,) h for utilities (..., 2): p (1 - p) without draws, Davidson's with them; stable for any difference."""
    root = np.exp(-np.abs(utility[..., 0] - utility[..., 1]) / 2)
    total = 1 + tie * root + root**2
    return np.asarray((1 + root**2) / total / 4 - ((1 - root**2) / total / 2) ** 2)


def _ranking_information(utility: Floats) -> Floats:
    """Sums over every set that can be left: the chance that it is, times the information of the pick from it."""
    k = utility.shape[-1]
    sets = [seats for size in range(k, 1, -1) for seats in combinations(range(k), size)]
    member = np.array([[seat in seats for seats in sets] for seat in range(k)])
    # (k, sets, c): sums over a leading axis are the fast ones.
    p = np.where(member[..., None], utility.reshape(-1, k).T[:, None], -np.inf)
    p = np.exp(p - p.max(axis=0))
    p /= p.sum(axis=0)
    chance = np.zeros(p.shape[1:])
    chance[0] = 1.0
    for at, seats in enumerate(sets):
        for seat in seats if len(seats) > 2 else ():
            chance[sets.index(tuple(other for other in seats if other != seat))] += chance[at] * p[seat, at]
    weighted = p * chance
    total = weighted.sum(axis=1).T[..., None] * np.eye(k) - np.einsum("isc,jsc->cij", weighted, p)
    return total.reshape(*utility.shape, k)


def _check(
    mean: Floats, covariance: Floats, question: Question, costs: Costs, allowed: Codes, exploration: float
) -> None:
    n = len(mean)
    if covariance.shape != (n, n) or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise MatchupError(f"the posterior needs finite numbers, a mean ({n},) and a covariance ({n}, {n})")
    if question.seats < 2 or (question.seats > 2 and question.answer in ("duel", "draws")):
        raise MatchupError(f"{question.answer} with {question.seats} seats; duels and draws take two")
    if question.tie < 0 or (question.tie and question.answer != "draws"):
        raise MatchupError(f"tie is {question.tie}; it is at least 0, and 0 unless draws are answers")
    if len(allowed) < question.seats or not set(allowed) <= set(range(n)):
        raise MatchupError(f"{len(allowed)} allowed contestants for {question.seats} seats, out of {n}")
    if not 0 <= exploration <= 1 or costs.voter_seconds <= 0 or costs.gpu_seconds < 0:
        raise MatchupError("exploration lies in 0..1, voter_seconds is above 0 and gpu_seconds at least 0")
