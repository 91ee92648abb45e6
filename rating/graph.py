"""Whether votes determine ratings at all: who met whom, and who ever beat whom."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.votes import PICK, Votes

StateName = Literal["ok", "no-votes", "all-draws", "disconnected", "separated"]


@dataclass(frozen=True)
class VoteState:
    """What a set of votes allows. `message` says why and what to do where it is not "ok".

    "disconnected": contestants fall into `groups` that never met. "separated": they met, but some group never lost to
    (nor drew with) anybody outside it, so that its distance has no finite maximum-likelihood estimate (Ford 1957);
    `groups` are then the strongly connected ones. Systems with a prior rate separated votes, the others must not.
    """

    name: StateName
    message: str = ""
    groups: tuple[tuple[str, ...], ...] = ()


def vote_state(votes: Votes) -> VoteState:
    """The state of the counted votes, the worst that applies."""
    beats, ties = beat_counts(votes)
    took_part = np.flatnonzero((beats + beats.T + ties).any(axis=1))
    if not len(took_part):
        return VoteState("no-votes", "No counted votes: nothing to rate. Collect votes, or check the poll filter.")
    if not beats.any():
        return VoteState(
            "all-draws",
            "All counted votes are draws: nothing tells the contestants apart. Collect votes that prefer one.",
        )
    beats, ties = beats[np.ix_(took_part, took_part)], ties[np.ix_(took_part, took_part)]
    names = [votes.contestants[code] for code in took_part]
    met = (beats > 0) | (beats.T > 0) | (ties > 0)
    groups = _named(components(met), names)
    if len(groups) > 1:
        return VoteState("disconnected", f"{_listed(groups)} never met. Let contestants of both meet.", groups)
    groups = _named(components((beats > 0) | (ties > 0)), names)
    if len(groups) > 1:
        return VoteState(
            "separated",
            f"{_listed(groups)} met, but only one side ever won, so the votes set no finite distance. Collect more "
            "votes between them.",
            groups,
        )
    return VoteState("ok")


def beat_counts(votes: Votes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, n) how often the row was placed before the column, and (n, n) how often they tied, symmetric.

    A pick compares the winner with each loser and the losers with nobody.
    """
    n = len(votes.contestants)
    total = np.zeros(2 * n * n, np.int64)
    counted, picks = votes.counted, votes.kinds == PICK
    # By columns that lie together, which numpy reads several times faster.
    seats, ranks = np.ascontiguousarray(votes.seats.T), np.ascontiguousarray(votes.ranks.T)
    for one, other in combinations(range(len(seats)), 2):
        first, second, difference = seats[one].astype(np.int64), seats[other], ranks[one] - ranks[other]
        alike = difference == 0
        key = np.where(difference < 0, first * n + second, second * np.int64(n) + first) + n * n * alike
        rows = counted & (second >= 0) & ~(alike & picks)
        total += np.bincount(key if rows.all() else key[rows], minlength=2 * n * n)
    beats, half = total.reshape(2, n, n)
    return beats, half + half.T


def components(edges: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The strongly connected components of a directed graph (n, n), the largest first; n up to some thousands."""
    left = np.ones(len(edges), dtype=bool)
    found = []
    while left.any():
        start = int(np.argmax(left))
        together = _reached(edges, start) & _reached(edges.T, start) & left
        found.append(np.flatnonzero(together))
        left &= ~together
    return sorted(found, key=lambda members: (-len(members), int(members[0])))


def _reached(edges: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    reached = np.zeros(len(edges), dtype=bool)
    reached[start] = True
    frontier = reached
    while frontier.any():
        frontier = edges[frontier].any(axis=0) & ~reached
        reached = reached | frontier
    return reached


def _named(groups: list[NDArray[np.intp]], names: list[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names[at] for at in members) for members in groups)


def _listed(groups: tuple[tuple[str, ...], ...]) -> str:
    """Such as: 3 groups of contestants (a, b, c and 2 more; d; e)."""
    shown = [", ".join(group) if len(group) <= 4 else _more(group) for group in groups[:4]]
    rest = [f"and {len(groups) - 4} more"] if len(groups) > 4 else []
    return f"{len(groups)} groups of contestants ({'; '.join([*shown, *rest])})"


def _more(group: tuple[str, ...]) -> str:
    return f"{', '.join(group[:3])} and {len(group) - 3} more"
