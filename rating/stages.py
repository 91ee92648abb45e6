"""Votes as choices. A vote is a sequence of stages; a stage chooses one or several of those still available.

A duel and a pick have one stage. A ranking has one for each rank: its best are chosen from all, the next from the rest,
and so on (Luce 1959; Plackett 1975). Several chosen at once are a tie (Davidson 1970 for two; Firth, Kosmidis and
Turner 2019 for more). Every stage is a multinomial logit: the alternatives are rows of a design matrix, and the
utility of an alternative is its row times the parameters of the members and of the terms.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.errors import StateError
from rating.votes import PICK, Votes

Ties = Literal["davidson", "rao-kupper", "half"]
MOST_ALTERNATIVES = 10_000
UNSEEN = -1


@dataclass(frozen=True, eq=False)
class Stages:
    """R stages of one shape: m members available, A alternatives, q = m + the number of terms.

    `vote` (R,) says whose stage it is, `members` (R, m) holds the places of the available contestants among the
    parameters, `terms` those of the terms of the poll (ties, then the left seat). `design` (A, q) has a row for each
    alternative: 1/t for each of t tied members, then 1 for its tie term and the share of the left seat.
    `chosen` (R,) indexes the rows of `design`, -1 for an outcome that the terms do not provide for. Each stage counts
    `share` times: 1, or 1/2 where a draw stands for half a win each.
    """

    vote: NDArray[np.intp]
    members: NDArray[np.intp]
    terms: tuple[int, ...]
    design: NDArray[np.float64]
    chosen: NDArray[np.intp]
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws under Rao and Kupper (1967): beside its two stages, each adds log(exp(2 margin) - 1)."""

    vote: NDArray[np.intp]
    margin: int


@dataclass(frozen=True, eq=False)
class Block:
    """Votes of one poll on k seats: the contestants' places (R, k), their ranks (R, k), the place of the left seat."""

    vote: NDArray[np.intp]
    members: NDArray[np.intp]
    ranks: NDArray[np.int16]
    left: int | None

    def take(self, rows: NDArray[np.bool_]) -> "Block":
        """The votes under a mask."""
        if rows.all():
            return self
        return Block(self.vote[rows], self.members[rows], self.ranks[rows], self.left)


# How the stages of rankings are found: the votes, and (size of a tie, place of its term).
Rankings = Callable[[Block, Sequence[tuple[int, int]]], Iterable[Stages]]


def term_names(votes: Votes, counted: NDArray[np.bool_], ties: Ties, left_seat: bool) -> list[str]:
    """The terms that the counted votes call for, poll by poll.

    `tie:POLL` (log nu of Davidson) where two tied, `tie3:POLL` where three did, and so on; `margin:POLL` for the duels
    of a poll with draws under Rao-Kupper; `left:POLL` for the first seat.
    """
    names: list[str] = []
    for poll, size, vote in _groups(votes, counted):
        ranks = votes.ranks[vote, :size]
        ranks = ranks[votes.kinds[vote] != PICK]
        tied = [int(t) for t in np.flatnonzero(_tie_sizes(ranks)) if t > 1]
        if size > 2 or ties == "davidson":
            names += [tie_name(poll, t) for t in tied]
        elif ties == "rao-kupper" and tied:
            names.append(f"margin:{poll}")
        if left_seat:
            names.append(f"left:{poll}")
    return list(dict.fromkeys(names))


def tie_name(poll: str, size: int) -> str:
    """The name of the term for ties of `size` in a poll."""
    return f"tie:{poll}" if size == 2 else f"tie{size}:{poll}"


def always_drawn(votes: Votes, ties: Ties) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """(N,) the counted votes of polls in which, at their number of seats, all seats always drew; their terms' names.

    Such a term runs to infinity, where a draw is certain whoever is seated: these votes tell nothing of the strengths.
    A poll is looked at from its largest votes down, as long as they are such: a tie that larger ones could have had,
    but not always had, has a finite term.
    """
    offers = votes.counted & ((votes.kinds != PICK) | (votes.sizes == 2))
    found, names, bounded = np.zeros(len(votes), dtype=bool), [], set()
    for poll, size, vote in reversed(list(_groups(votes, offers))):
        name = drawn_name(poll, size, ties)
        if not name or (poll in bounded and not name.startswith("margin:")) or votes.ranks[vote].max() > 0:
            bounded.add(poll)
        else:
            found[vote] = True
            names.append(name)
    return found, tuple(names[::-1])


def drawn_name(poll: str, size: int, ties: Ties) -> str:
    """The name of the term for all of `size` seats in a draw; none where a draw is half a win each."""
    if size > 2 or ties == "davidson":
        return tie_name(poll, size)
    return f"margin:{poll}" if ties == "rao-kupper" else ""


def certain(votes: Votes, names: Collection[str], ties: Ties) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Votes on which the terms of these names, infinite, have a say: (their places, whether all seats drew)."""
    for poll, size, vote in _groups(votes, votes.counted & ((votes.kinds != PICK) | (votes.sizes == 2))):
        if drawn_name(poll, size, ties) in names:
            yield vote, votes.ranks[vote].max(axis=1) == 0


def stages(
    votes: Votes,
    counted: NDArray[np.bool_],
    codes: NDArray[np.intp],
    terms: Mapping[str, int],
    ties: Ties,
    rankings: Rankings | None = None,
) -> tuple[list[Stages], list[Draws]]:
    """The stages of the counted votes, in batches of one shape; the rows of a batch are in the order of the votes.

    `codes` (contestants of the votes,) gives the place of each among the parameters, `terms` the place of each term; a
    term that is not there does not exist: no alternative ties at that size, the left seat has no bonus.
    `rankings` finds the stages of rankings, in place of `_ranking_stages`.
    Raises StateError where ties allow more than 10,000 alternatives in one stage.
    """
    found: list[Stages] = []
    draws: list[Draws] = []
    for poll, size, vote in _groups(votes, counted):
        left = terms.get(f"left:{poll}")
        block = Block(vote, codes[votes.seats[vote, :size]], votes.ranks[vote, :size], left)
        tied = [(t, terms[tie_name(poll, t)]) for t in range(2, size + 1) if tie_name(poll, t) in terms]
        margin = terms.get(f"margin:{poll}")
        if size > 2:
            picks = votes.kinds[vote] == PICK
            found += _first_stages(_placed(block.take(picks)), [])
            found += (rankings or _ranking_stages)(block.take(~picks), tied)
        elif ties == "half":
            found += _half_stages(_placed(block))
        elif ties == "rao-kupper" and margin is not None:
            found += _margin_stages(_placed(block), margin)
            draws.append(Draws(vote[block.ranks[:, 0] == block.ranks[:, 1]], margin))
        else:
            found += _first_stages(_placed(block), tied)
    return found, draws


def _groups(votes: Votes, counted: NDArray[np.bool_]) -> Iterator[tuple[str, int, NDArray[np.intp]]]:
    """(poll, number of seats, votes) of the counted votes."""
    most = votes.seats.shape[1] + 1
    key = votes.poll.astype(np.intp) * most + _in_rows(votes.seats >= 0)
    for group in np.flatnonzero(np.bincount(key[counted])):
        poll, size = divmod(int(group), most)
        yield votes.polls[poll], size, np.flatnonzero(counted & (key == group))


def _in_rows(numbers: NDArray[np.bool_] | NDArray[np.intp]) -> NDArray[np.intp]:
    """(R,) the sum of each row, or how many are true in it; by columns, which numpy adds several times faster."""
    total = np.zeros(len(numbers), np.intp)
    for column in numbers.T:
        total += column
    return total


def _tie_sizes(ranks: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(k + 1,) which numbers of seats ever share a rank."""
    seats = ranks.shape[1]
    seen = np.zeros(seats + 1, dtype=bool)
    if not ranks.size:
        return seen
    last = ranks[:, 0].copy()
    for column in ranks.T:
        np.maximum(last, column, out=last)
    ranks = ranks[last < seats - 1]  # the others are strict: ranks leave no gaps
    for rank in range(seats):
        seen |= np.bincount(_in_rows(ranks == rank), minlength=seats + 1) > 0
    return seen


def _placed(block: Block) -> Block:
    """With the seats of each vote sorted, so that equal sets look equal; the first stays first where it has a bonus."""
    members, ranks = block.members, block.ranks
    kept = 0 if block.left is None else 1
    if members.shape[1] - kept > 1:
        order = np.argsort(members[:, kept:], axis=1) + kept
        members = np.hstack([members[:, :kept], np.take_along_axis(members, order, axis=1)])
        ranks = np.hstack([ranks[:, :kept], np.take_along_axis(ranks, order, axis=1)])
    return Block(block.vote, members, ranks, block.left)


def _ranking_stages(block: Block, tied: Sequence[tuple[int, int]]) -> Iterator[Stages]:
    """A stage for each rank, from those of that rank and below; a last one alone is no choice."""
    block = _placed(block)
    yield from _first_stages(block, tied)
    for rank in range(1, block.ranks.shape[1]):
        available = block.ranks >= rank
        shape = 2 * _in_rows(available)
        if block.left is not None:
            shape += available[:, 0]
        for wanted in np.flatnonzero(np.bincount(shape, minlength=1)):
            size, with_left = divmod(int(wanted), 2)
            if size < 2:
                continue
            rows = shape == wanted
            these = available[rows]
            rest = Block(
                block.vote[rows],
                block.members[rows][these].reshape(-1, size),
                block.ranks[rows][these].reshape(-1, size) - np.int16(rank),
                block.left if with_left else None,
            )
            yield from _first_stages(rest, tied)


def _first_stages(block: Block, tied: Sequence[tuple[int, int]]) -> Iterator[Stages]:
    """Those of rank 0, chosen from all."""
    if not len(block.vote):
        return
    sizes, terms, design = choices(block.members.shape[1], tied, block.left)
    yield Stages(block.vote, block.members, terms, design, _alternative(block.ranks == 0, sizes))


def choices(
    size: int, tied: Sequence[tuple[int, int]], left: int | None
) -> tuple[list[int], tuple[int, ...], NDArray[np.float64]]:
    """Of a stage of `size` members: how many may be chosen at once, the places of its terms, and its design."""
    tied = [(t, place) for t, place in tied if t <= size]
    sizes = [1] + [t for t, _ in tied]
    terms = (*(place for _, place in tied), *(() if left is None else (left,)))
    return sizes, terms, _design(size, sizes, left is not None)


def _half_stages(block: Block) -> Iterator[Stages]:
    """Bradley-Terry with a draw as half a win each."""
    drawn = block.ranks[:, 0] == block.ranks[:, 1]
    yield from _first_stages(block.take(~drawn), [])
    draws = block.take(drawn)
    for winner in (0, 1):
        ranks = np.full_like(draws.ranks, 1)
        ranks[:, winner] = 0
        for stage in _first_stages(Block(draws.vote, draws.members, ranks, draws.left), []):
            yield Stages(stage.vote, stage.members, stage.terms, stage.design, stage.chosen, share=0.5)


def _margin_stages(block: Block, margin: int) -> Iterator[Stages]:
    """Rao and Kupper (1967): the winner leads by the margin; in a draw each is at most the margin behind.

    P(draw) = (exp(2 margin) - 1) P(first wins) P(second wins), so a draw is both wins and a `Draws` row.
    """
    for winner in (0, 1):
        rows = block.ranks[:, winner] <= block.ranks[:, 1 - winner]
        design, terms = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]), [margin]
        if block.left is not None:
            design = np.hstack([design, design[:, [winner]]])
            terms.append(block.left)
        members = block.members[rows][:, [winner, 1 - winner]]
        yield Stages(block.vote[rows], members, tuple(terms), design, np.zeros(len(members), np.intp))


def _design(size: int, sizes: list[int], with_left: bool) -> NDArray[np.float64]:
    """(A, q) all sets of the given sizes out of `size` members, by size and then in colexicographic order."""
    alternatives = sum(comb(size, t) for t in sizes)
    if alternatives > MOST_ALTERNATIVES:
        raise StateError(
            f"{size} seats with ties of up to {max(sizes)} can come out in {alternatives:,} ways at each rank, more "
            f"than {MOST_ALTERNATIVES:,}. Leave out the votes with the largest ties."
        )
    design = np.zeros((alternatives, size + len(sizes) - 1 + with_left))
    row = 0
    for term, t in enumerate(sizes):
        for chosen in sorted(combinations(range(size), t), key=lambda places: places[::-1]):
            design[row, list(chosen)] = 1 / t
            if t > 1:
                design[row, size + term - 1] = 1.0
            row += 1
    if with_left:
        design[:, -1] = design[:, 0]
    return design


def _alternative(chosen: NDArray[np.bool_], sizes: list[int]) -> NDArray[np.intp]:
    """The row of `_design` for each set (R, size); UNSEEN for a size that is not among `sizes`.

    The place of c_1 < c_2 < … in colexicographic order is the sum of C(c_j, j).
    """
    size = chosen.shape[1]
    if size == 2:
        place: NDArray[np.intp] = chosen[:, 0] + 2 * chosen[:, 1].astype(np.intp) - 1
        return place if len(sizes) > 1 else np.where(place < 2, place, UNSEEN)
    if len(sizes) == 1:
        numbers = chosen * np.arange(size, dtype=np.intp)
        return np.where(_in_rows(chosen) == 1, _in_rows(numbers), UNSEEN)
    before = np.cumsum(chosen, axis=1)
    total = before[:, -1]
    table = np.array([[comb(c, j) for j in range(max(sizes) + 1)] for c in range(size)], dtype=np.intp)
    place = (table[np.arange(size), np.minimum(before, max(sizes))] * chosen).sum(axis=1)
    start, offset = np.full(size + 1, UNSEEN, np.intp), 0
    for t in sizes:
        start[t] = offset
        offset += comb(size, t)
    return np.where(start[total] < 0, UNSEEN, start[total] + place)
