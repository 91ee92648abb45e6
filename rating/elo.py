"""Elo (paper, section 5.1): R' = R + K (actual - expected). docs/elo.md tells the choices the paper leaves open."""

import math
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.averages import Average, Moves, WindowMean
from rating.system import Estimate, State
from rating.votes import PICK, Votes

# 1 / (1 + 10^(-d / 400)) = (1 + tanh(d ln 10 / 800)) / 2, which no distance makes overflow.
HALF_NAT = math.log(10.0) / 800.0


@dataclass(frozen=True)
class EloSystem:
    """Elo with step `k` and first rating `initial`, both in Elo points.

    A vote on n seats is read as its pairs at K / (n - 1) each, all from the ratings before the vote: points only change
    hands, and two seats are plain Elo. `average` is the time-weighted average kept along with the ratings;
    `ranked_by` says which of the two is the value.
    """

    k: float = 32.0
    initial: float = 1500.0
    average: Average = field(default_factory=WindowMean)
    ranked_by: Literal["last", "average"] = "last"
    order_check: int = 1000
    metric: str = "elo"

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"{self.metric}/2 k={self.k:g} initial={self.initial:g} average={self.average.name}"

    def start(self) -> State:
        """Nobody is rated yet."""
        return {"ratings": {}, "average": self.average.start()}

    def fold(self, state: State, votes: Votes) -> State:
        """The ratings after the votes, in their order, and their averages."""
        counted = votes.take(votes.counted)
        if not len(counted):
            return state
        ratings = [state["ratings"].get(contestant, self.initial) for contestant in votes.contestants]
        moves = play(ratings, counted, self.k)
        moved = {votes.contestants[code]: ratings[code] for code in moves.moved().tolist()}
        return {
            "ratings": dict(sorted((state["ratings"] | moved).items())),
            "average": self.average.fold(state["average"], moves),
        }

    def standings(self, state: State) -> dict[str, Estimate]:
        """The last ratings and their averages. Elo itself says nothing of its error: see `rating.elo_interval`."""
        means = self.average.values(state["average"])
        found = {}
        for contestant, rating in state["ratings"].items():
            average = self.initial + means[contestant]
            found[contestant] = Estimate(rating if self.ranked_by == "last" else average, average=average)
        return found


def expected(rating: float, opponent: float) -> float:
    """The expected score 1 / (1 + 10^((opponent - rating) / 400)), in [0, 1] for ratings however far apart."""
    return 0.5 + 0.5 * math.tanh(HALF_NAT * (rating - opponent))


def play(ratings: list[float], votes: Votes, k: float) -> Moves:
    """Play counted votes in their order; `ratings`, one for each of `votes.contestants`, change in place.

    Runs of duels go through a loop of their own, for speed: it gives the same bits as the one for any number of seats.
    """
    placed, ranks = _placed(votes)
    seated = placed >= 0
    sizes, codes = seated.sum(axis=1), placed[seated]
    starts = np.flatnonzero(np.diff(sizes == 2, prepend=~(sizes[:1] == 2)))
    changes: list[NDArray[np.float64]] = []
    for start, stop in pairwise([*starts.tolist(), len(votes)]):
        run = slice(start, stop)
        if sizes[start] == 2:
            scores = (ranks[run, 0] < ranks[run, 1]).astype(np.float64)
            gains = _play_duels(ratings, placed[run, 0].tolist(), placed[run, 1].tolist(), scores.tolist(), k)
            changes.append(np.outer(gains, [1.0, -1.0]).ravel())
        else:
            rows = zip(placed[run].tolist(), ranks[run].tolist(), (votes.kinds[run] == PICK).tolist(), strict=True)
            changes.append(np.concatenate([_play_large(ratings, *row, k) for row in rows]))
    at = np.repeat(np.arange(len(votes)), sizes)
    return Moves(votes.contestants, codes, np.concatenate(changes), at, votes.times)


def _placed(votes: Votes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(N, S) codes and (N, S) ranks of each vote, best first, equal ranks by name, -1 where there is no seat.

    The seats' order has no say in any result.
    """
    n = len(votes.contestants) + 1
    keys = np.where(votes.seats >= 0, votes.ranks.astype(np.intp) * n + votes.seats, np.iinfo(np.intp).max)
    keys.sort(axis=1)
    absent = keys == np.iinfo(np.intp).max
    return np.where(absent, -1, keys % n), np.where(absent, -1, keys // n)


def _play_duels(
    ratings: list[float], better: list[int], other: list[int], scores: list[float], k: float
) -> list[float]:
    """What `better` gains in each duel. A score is twice the actual score minus 1: 1 for a win, 0 for a draw."""
    half, scale, tanh = k / 2, HALF_NAT, math.tanh
    gains: list[float] = []
    gained = gains.append
    for one, two, score in zip(better, other, scores, strict=True):
        own, opponent = ratings[one], ratings[two]
        gain = half * (score - tanh(scale * (own - opponent)))
        ratings[one] = own + gain
        ratings[two] = opponent - gain
        gained(gain)
    return gains


def _play_large(ratings: list[float], row: list[int], ranks: list[int], pick: bool, k: float) -> list[float]:
    """The changes of one vote. Picking the best compares the winner with each loser and the losers with nobody else."""
    codes = [code for code in row if code >= 0]
    half = k / (len(codes) - 1) / 2
    before = [ratings[code] for code in codes]
    changes = [0.0] * len(codes)
    for one, two in combinations(range(len(codes)), 2):
        if pick and one:
            break
        score = 1.0 if ranks[one] < ranks[two] else 0.0
        change = half * (score - math.tanh(HALF_NAT * (before[one] - before[two])))
        changes[one] += change
        changes[two] -= change
    for code, change in zip(codes, changes, strict=True):
        ratings[code] += change
    return changes
