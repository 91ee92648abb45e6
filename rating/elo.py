"""Elo (paper, section 5.1): R' = R + K (actual - expected). docs/elo.md tells the choices the paper leaves open."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rating.averages import Average, Moves, WindowMean
from rating.system import Estimate, State
from rating.votes import PICK, Votes

# 1 / (1 + 10^(-d / 400)) = (1 + tanh(d ln 10 / 800)) / 2, which no distance makes overflow.
HALF_NAT = math.log(10.0) / 800.0
# Votes played at a time: bounds the memory, and their lists stay in the cache.
BLOCK = 20_000


@dataclass(frozen=True)
class EloSystem:
    """Elo with step `k` and first rating `initial`, both in Elo points.

    A vote on n seats is read as its pairs at K / (n - 1) each, all from the ratings before the vote: points only change
    hands, and two seats are plain Elo. `average` is the time-weighted average kept along with the ratings, None
    to spare its price, a third of the whole; `ranked_by` says which of the two is the value.
    """

    k: float = 32.0
    initial: float = 1500.0
    average: Average | None = field(default_factory=WindowMean)
    ranked_by: Literal["last", "average"] = "last"
    order_check: int = 1000
    metric: str = "elo"

    @property
    def methodology(self) -> str:
        """Version and constants."""
        average = f" average={self.average.name}" if self.average else ""
        return f"{self.metric}/2 k={self.k:g} initial={self.initial:g}{average}"

    def start(self) -> State:
        """Nobody is rated yet."""
        return {"ratings": {}, "average": self.average.start() if self.average else None}

    def fold(self, state: State, votes: Votes) -> State:
        """The ratings after the votes, in their order, and their averages."""
        ratings = [state["ratings"].get(contestant, self.initial) for contestant in votes.contestants]
        part, average = np.zeros(len(ratings) + 1, dtype=np.intp), state["average"]
        for block in _blocks(votes):
            played = play(ratings, block, self.k)
            part += np.bincount(block.seats.ravel() + 1, minlength=len(part))
            average = self.average.fold(average, played.moves(block)) if self.average else None
        moved = {votes.contestants[code]: ratings[code] for code in np.flatnonzero(part[1:]).tolist()}
        return {"ratings": dict(sorted((state["ratings"] | moved).items())), "average": average}

    def standings(self, state: State) -> dict[str, Estimate]:
        """The last ratings and their averages. Elo itself says nothing of its error: see `rating.elo_interval`."""
        if not self.average:
            return {contestant: Estimate(rating) for contestant, rating in state["ratings"].items()}
        means = self.average.values(state["average"])
        found = {}
        for contestant, rating in state["ratings"].items():
            average = self.initial + means[contestant]
            found[contestant] = Estimate(rating if self.ranked_by == "last" else average, average=average)
        return found


def expected(rating: float, opponent: float) -> float:
    """The expected score 1 / (1 + 10^((opponent - rating) / 400)), in [0, 1] for ratings however far apart."""
    return 0.5 + 0.5 * math.tanh(HALF_NAT * (rating - opponent))


@dataclass(frozen=True, eq=False)
class Played:
    """What counted votes did to the ratings, run by run of duels and of larger votes.

    `placed` (N, S) holds the seats' codes of each vote, best first, equal ranks by name, -1 beyond. `runs` are (first
    vote, end, changes), where duels have one change each, of the better, and larger votes one a seat.
    """

    placed: NDArray[np.integer[Any]]
    runs: list[tuple[int, int, list[float]]]

    def moves(self, votes: Votes) -> Moves:
        """The changes one by one."""
        seated = self.placed >= 0
        sizes = np.count_nonzero(seated, axis=1)
        changes = [
            np.outer(found, [1.0, -1.0]).ravel() if sizes[start] == 2 else np.array(found)
            for start, _, found in self.runs
        ]
        at = np.repeat(np.arange(len(sizes)), sizes)
        return Moves(votes.contestants, self.placed[seated].astype(np.intp), np.concatenate(changes), at, votes.times)


def _blocks(votes: Votes) -> Iterator[Votes]:
    """What counts of the votes, BLOCK at a time; a block that counts whole is not copied."""
    for start in range(0, len(votes), BLOCK):
        block = votes.span(start, start + BLOCK)
        counted = block.counted
        if counted.any():
            yield block if counted.all() else block.take(counted)


def play(ratings: list[float], votes: Votes, k: float) -> Played:
    """Play counted votes in their order; `ratings`, one for each of `votes.contestants`, change in place.

    Runs of duels go through a loop of their own, for speed: it gives the same bits as the one for any number of seats.
    """
    placed, ranks = _placed(votes)
    duel = votes.sizes == 2
    starts = np.flatnonzero(np.diff(duel, prepend=~duel[:1]))
    runs = []
    for start, stop in pairwise([*starts.tolist(), len(votes)]):
        seats, run_ranks = placed[start:stop], ranks[start:stop]
        if duel[start]:
            # Objects, so that the list holds the same two numbers throughout: the loop is bound by memory.
            scores = np.array([0.0, k / 2], dtype=object)[(run_ranks[:, 0] < run_ranks[:, 1]).astype(np.intp)].tolist()
            changes = _play_duels(ratings, seats[:, 0].tolist(), seats[:, 1].tolist(), scores, k)
        else:
            rows = zip(seats.tolist(), run_ranks.tolist(), (votes.kinds[start:stop] == PICK).tolist(), strict=True)
            changes = _play_large(ratings, rows, k)
        runs.append((start, stop, changes))
    return Played(placed, runs)


def _placed(votes: Votes) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """(N, S) codes and (N, S) ranks of each vote, best first, equal ranks by name, -1 where there is no seat.

    The seats' order has no say in any result.
    """
    seats, ranks = votes.seats, votes.ranks
    if seats.shape[1] == 2:
        (left, right), (rank, below) = seats.T, ranks.T
        swap = (rank > below) | ((rank == below) & (left > right))
        placed = np.stack([np.where(swap, right, left), np.where(swap, left, right)])
        return placed.T, np.stack([np.minimum(rank, below), np.maximum(rank, below)]).T
    n, nowhere = len(votes.contestants) + 1, np.iinfo(np.intp).max
    keys = np.where(seats >= 0, ranks.astype(np.intp) * n + seats, nowhere)
    keys.sort(axis=1)
    return np.where(keys == nowhere, -1, keys % n), np.where(keys == nowhere, -1, keys // n)


def _play_duels(
    ratings: list[float], better: list[int], other: list[int], scores: list[float], k: float
) -> list[float]:
    """What `better` gains in each duel: a score, K/2 for a win and 0 for a draw, less K/2 tanh(...)."""
    half, scale, tanh = k / 2, HALF_NAT, math.tanh
    gains: list[float] = []
    gained = gains.append
    for one, two, score in zip(better, other, scores, strict=True):
        own, opponent = ratings[one], ratings[two]
        gain = score - half * tanh(scale * (own - opponent))
        ratings[one] = own + gain
        ratings[two] = opponent - gain
        gained(gain)
    return gains


def _play_large(ratings: list[float], votes: Iterable[tuple[list[int], list[int], bool]], k: float) -> list[float]:
    """The changes of each seat in votes, each (codes from best to worst, -1 beyond, ranks, whether it is a pick).

    Picking the best compares the winner with each loser and the losers with nobody else.
    """
    scale, tanh = HALF_NAT, math.tanh
    changes: list[float] = []
    changed = changes.append
    for codes, ranks, pick in votes:
        if codes[-1] < 0:
            codes = codes[: codes.index(-1)]
        half = k / (len(codes) - 1) / 2
        if not pick:
            changes += _play_ranking(ratings, codes, ranks, half)
            continue
        own, gained, winner = ratings[codes[0]], 0.0, len(changes)
        changed(0.0)
        for loser in codes[1:]:
            opponent = ratings[loser]
            gain = half - half * tanh(scale * (own - opponent))
            gained += gain
            ratings[loser] = opponent - gain
            changed(-gain)
        ratings[codes[0]] = own + gained
        changes[winner] = gained
    return changes


def _play_ranking(ratings: list[float], codes: list[int], ranks: list[int], half: float) -> list[float]:
    before = [ratings[code] for code in codes]
    changes = [0.0] * len(codes)
    for one, two in combinations(range(len(codes)), 2):
        score = half if ranks[one] < ranks[two] else 0.0
        change = score - half * math.tanh(HALF_NAT * (before[one] - before[two]))
        changes[one] += change
        changes[two] -= change
    for code, change in zip(codes, changes, strict=True):
        ratings[code] += change
    return changes
