"""TrueSkill (paper, section 5.3; Herbrich et al. 2006) for frozen checkpoints. docs/trueskill.md tells the choices."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rating.chain import MIN_DELTA, rate_as_package
from rating.closed_form import rate_duels
from rating.errors import BackendError, SettingError
from rating.levels import rate_ranking
from rating.margins import (
    MOST_PROBABILITY,
    PRIOR_PROBABILITY,
    learn_ranking,
    margin_of,
    prior_slope,
    probability_of,
)
from rating.package import MIN_DELTA as FINE_DELTA
from rating.package import check_package, rate_by_package
from rating.quality import Rating, match_quality, outcome_probabilities
from rating.star import rate_pick
from rating.system import Estimate, State
from rating.tree import Belief
from rating.votes import PICK, Votes

CONSERVATIVE_SIGMAS = 3.0
INTERVAL_SIGMAS = 1.96
COMPAT_TAU = 25.0 / 300.0
COMPAT_DRAW_PROBABILITY = 0.10
OWN, PACKAGE = "own", "trueskill-package"
BACKENDS = (OWN, PACKAGE)
# Votes played at a time: bounds the memory.
BLOCK = 20_000


@dataclass(frozen=True)
class TrueSkillSystem:
    """TrueSkill with prior N(mu, sigma^2), performance noise `beta` and dynamics `tau`.

    `tau` None is 0, as checkpoints are frozen. `draw_probability` is how often equals draw: one for all polls, or by
    poll, 0 for those it does not name; None learns it for each poll from its votes. A poll named in `drawing_polls`
    is known to have draws; any other gets a margin with its first draw. `compat` reads every vote as the `trueskill`
    package must: tau 25/300 and draw probability 0.10 unless given, a pick of several as a draw of the losers, ties as
    a chain in the order of the seats. `backend` is "own" or "trueskill-package".

    Raises SettingError for a constant out of range, BackendError for an unknown backend or a missing package.
    """

    mu: float = 25.0
    sigma: float = 25.0 / 3.0
    beta: float = 25.0 / 6.0
    tau: float | None = None
    draw_probability: float | Mapping[str, float] | None = None
    drawing_polls: tuple[str, ...] = ("fixed",)
    compat: bool = False
    backend: str = OWN
    order_check: int = 0
    metric: str = field(default="trueskill", init=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mu) and 0.0 < self.sigma < math.inf and 0.0 < self.beta < math.inf):
            raise SettingError("mu must be finite, sigma and beta finite and above 0")
        if not 0.0 <= self._tau < math.inf:
            raise SettingError(f"tau is {self._tau:g}, expected 0 or more")
        given = self._draw_probability
        for share in given.values() if isinstance(given, Mapping) else [0.0 if given is None else given]:
            if not 0.0 <= share < 1.0:
                raise SettingError(f"a draw probability is {share:g}, expected 0 or more and less than 1")
        if self.backend not in BACKENDS:
            raise BackendError(f"no backend {self.backend!r}; known: {', '.join(BACKENDS)}")
        if self.backend == PACKAGE:
            check_package()

    @property
    def methodology(self) -> str:
        """Version and constants."""
        given = self._draw_probability
        if isinstance(given, Mapping):
            draws = ",".join(f"{poll}:{share:g}" for poll, share in sorted(given.items()))
        else:
            draws = f"learned({','.join(self.drawing_polls)})" if given is None else f"{given:g}"
        text = f"trueskill/2 mu={self.mu:g} sigma={self.sigma:g} beta={self.beta:g} tau={self._tau:g} draw={draws}"
        return text + " compat" * self.compat + f" backend={self.backend}" * (self.backend != OWN)

    def start(self) -> State:
        """Nobody is rated yet."""
        return {"beliefs": {}, "margins": {}}

    def fold(self, state: State, votes: Votes) -> State:
        """The state after the votes, in their order.

        `beliefs` holds [mean, variance] a contestant, `margins` [draw margin, slope] a poll (rating.margins).
        Raises BackendError where the package cannot rate a vote.
        """
        chosen = np.flatnonzero(votes.counted)
        if not len(chosen):
            return state
        taken = votes.seats[chosen]
        prior = [self.mu, self.sigma * self.sigma]
        beliefs = [state["beliefs"].get(name, prior) for name in votes.contestants]
        margins = [state["margins"].get(poll) or self._first_margin(poll) for poll in votes.polls]
        board = _Board(
            self,
            [float(mean) for mean, _ in beliefs],
            [float(variance) for _, variance in beliefs],
            [float(margin) for margin, _ in margins],
            [float(slope) for _, slope in margins],
        )
        for start in range(0, len(chosen), BLOCK):
            board.play(votes, chosen[start : start + BLOCK])
        rated = {votes.contestants[code]: [board.mean[code], board.variance[code]] for code in _present(taken)}
        learned = {
            votes.polls[code]: [board.margins[code], board.slopes[code]] for code in _present(votes.poll[chosen])
        }
        return {
            "beliefs": dict(sorted({**state["beliefs"], **rated}.items())),
            "margins": dict(sorted({**state["margins"], **learned}.items())),
        }

    def standings(self, state: State) -> dict[str, Estimate]:
        """`value` is the conservative score mu - 3 sigma; `low` and `high` are mu -+ 1.96 sigma."""
        return {name: _estimate(mean, math.sqrt(variance)) for name, (mean, variance) in state["beliefs"].items()}

    def draw_probabilities(self, state: State) -> dict[str, float]:
        """How often equals draw, by poll: as given, or as learned so far."""
        return {poll: probability_of(margin, self.beta) for poll, (margin, _) in state["margins"].items()}

    def draw_margin(self, probability: float) -> float:
        """The margin at which equals draw with this probability, 0 <= probability < 1."""
        return margin_of(probability, self.beta)

    def quality(self, ratings: Sequence[Rating]) -> float:
        """How even a vote among these (mu, sigma) is, in (0, 1]."""
        return match_quality(ratings, self.beta)

    def win_probability(self, first: Rating, second: Rating, draw_probability: float = 0.0) -> float:
        """How likely (mu, sigma) `first` wins a duel against `second`, where equals draw this often."""
        return outcome_probabilities(first, second, self.beta, margin_of(draw_probability, self.beta))[0]

    @property
    def _tau(self) -> float:
        return (COMPAT_TAU if self.compat else 0.0) if self.tau is None else self.tau

    @property
    def _draw_probability(self) -> float | Mapping[str, float] | None:
        if self.draw_probability is None and self.compat:
            return COMPAT_DRAW_PROBABILITY
        return self.draw_probability

    def _first_margin(self, poll: str) -> list[float]:
        given = self._draw_probability
        if given is None:
            share = PRIOR_PROBABILITY if poll in self.drawing_polls else 0.0
        else:
            share = given.get(poll, 0.0) if isinstance(given, Mapping) else given
        return [margin_of(share, self.beta), prior_slope(self.beta)]


class _Board:
    """The beliefs while votes are played, as lists over the codes of contestants and polls."""

    def __init__(
        self,
        system: TrueSkillSystem,
        mean: list[float],
        variance: list[float],
        margins: list[float],
        slopes: list[float],
    ) -> None:
        self.mean, self.variance, self.margins, self.slopes = mean, variance, margins, slopes
        self.system = system
        self.noise = 2.0 * system.beta * system.beta
        self.drift = system._tau * system._tau
        learns = system._draw_probability is None
        self.prior_draws = prior_slope(system.beta) * margin_of(PRIOR_PROBABILITY, system.beta) if learns else 0.0
        self.most = margin_of(MOST_PROBABILITY, system.beta)

    def play(self, votes: Votes, chosen: NDArray[np.intp]) -> None:
        """Rate the votes in these places, all counted, in their order: runs of duels in one loop, others one by one."""
        seats, ranks = votes.seats[chosen], votes.ranks[chosen]
        columns = seats, ranks, votes.kinds[chosen], votes.poll[chosen]
        duels = (*_duels(seats, ranks), columns[-1].tolist())
        alone = np.count_nonzero(seats >= 0, axis=1) > 2
        if self.system.backend == PACKAGE:
            alone[:] = True
        if alone.any():
            # Equals in the order of their names, for the package in that of their seats.
            columns = (*_placed(seats, ranks, by_name=not self.system.compat), *columns[2:])
        edges = (np.flatnonzero(np.diff(alone)) + 1).tolist()
        for start, stop in pairwise([0, *edges, len(chosen)]):
            if stop > start and alone[start]:
                self._play_others(zip(*(column[start:stop].tolist() for column in columns), strict=True))
            else:
                rate_duels(
                    self.mean,
                    self.variance,
                    zip(*(column[start:stop] for column in duels), strict=True),
                    self.margins,
                    self.slopes,
                    self.noise,
                    self.drift,
                    self.prior_draws,
                    self.most,
                )

    def _play_others(self, votes: Iterable[tuple[list[int], list[int], int, int]]) -> None:
        """Rate votes, each (contestants from best to worst, their ranks, kind, poll); -1 beyond the last seat."""
        compat = self.system.compat
        for codes, places, kind, poll in votes:
            if codes[-1] < 0:
                codes = codes[: codes.index(-1)]
            means = [self.mean[code] for code in codes]
            variances = [self.variance[code] + self.drift for code in codes]
            if kind == PICK and len(codes) > 2 and not compat:
                rated = rate_pick(means, variances, self.system.beta)
            else:
                rated = self._rate(means, variances, places[: len(codes)], poll)
            for code, (mean, variance) in zip(codes, rated, strict=True):
                self.mean[code], self.variance[code] = mean, variance

    def _rate(self, means: list[float], variances: list[float], ranks: list[int], poll: int) -> list[Belief]:
        """The skills after a ranking, and the poll's margin with it."""
        beta, margin = self.system.beta, self.margins[poll]
        if self.prior_draws:
            if not margin and len(set(ranks)) < len(ranks):
                margin = self.prior_draws / self.slopes[poll]
            self.margins[poll], self.slopes[poll] = learn_ranking(
                means, variances, ranks, self.noise, margin, self.slopes[poll], self.most
            )
        if self.system.backend == PACKAGE:
            delta = MIN_DELTA if self.system.compat else FINE_DELTA
            return rate_by_package(means, variances, ranks, beta, margin, delta)
        if self.system.compat:
            ties = [one == other for one, other in pairwise(ranks)]
            return rate_as_package(means, variances, ties, beta, margin)
        return rate_ranking(means, variances, ranks, beta, margin)


def _duels(seats: NDArray[np.int32], ranks: NDArray[np.int16]) -> tuple[list[int], list[int], list[bool]]:
    """(winner, loser, drawn) of each vote on two seats; equals by name: seats have no say, not even in the last bit."""
    one, other, drawn = seats[:, 0], seats[:, 1], ranks[:, 0] == ranks[:, 1]
    swapped = (ranks[:, 0] > ranks[:, 1]) | (drawn & (one > other))
    return np.where(swapped, other, one).tolist(), np.where(swapped, one, other).tolist(), drawn.tolist()


def _placed(
    seats: NDArray[np.int32], ranks: NDArray[np.int16], by_name: bool
) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """The seats and ranks of each vote from best to worst, equals by name or in the order of the seats."""
    first = ranks.astype(np.intp) * (seats.max(initial=0) + 1)
    first[seats < 0] = np.iinfo(np.intp).max
    order = np.argsort(first + np.where(seats < 0, 0, seats) if by_name else first, axis=1, kind="stable")
    return np.take_along_axis(seats, order, axis=1), np.take_along_axis(ranks, order, axis=1)


def _present(codes: NDArray[np.int32]) -> list[int]:
    return np.flatnonzero(np.bincount(codes[codes >= 0])).tolist()


def _estimate(mu: float, sigma: float) -> Estimate:
    reach = INTERVAL_SIGMAS * sigma
    return Estimate(mu - CONSERVATIVE_SIGMAS * sigma, mu - reach, mu + reach, mu, sigma)
