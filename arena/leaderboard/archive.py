"""The vote log as arrays. Votes never change, so a full portion of the log is packed once."""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.leaderboard.models import LogPortion
from arena.leaderboard.packing import pack, unpack
from arena.polls.models import Matchup, Poll, Seat
from arena.votes.models import Vote, Voter
from rating.errors import RatingError
from rating.outcomes import Outcome, parse_outcome
from rating.votes import KINDS, NOBODY, SKIP, Votes

# Votes that are read, and folded, between two writes: a long replay is kept as it goes, and others go on from there.
PORTION = 10_000
SEATS = 4
POLLS = tuple(Poll.Kind.values)
POPULATIONS = tuple(Voter.Population.values)
UNREADABLE = len(KINDS)
COLUMNS = (
    "number", "created_at", "outcome", "ticket__voter_id", "ticket__voter__population", "ticket__matchup__prompt_id",
    "ticket__matchup__poll__kind",
)  # fmt: skip
# From a seat to the vote on its matchup.
OF_SEAT = "matchup__tickets__vote__"
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some votes in the order of the log: (N,) `number`, `time` in seconds since 1970, keys of `prompt` and `voter`.

    `poll` and `population` (N,) index POLLS and POPULATIONS, `kinds` (N,) is as in rating.votes.Votes, or UNREADABLE.
    `seats` (N, 4) holds the contestants' keys, 0 beyond the seats a vote has, `ranks` (N, 4) is as in Votes.
    """

    number: Integers
    time: NDArray[np.float64]
    poll: NDArray[np.int8]
    population: NDArray[np.int8]
    prompt: Integers
    voter: Integers
    kinds: NDArray[np.int8]
    seats: Integers
    ranks: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Piece":
        """The votes under a mask, or in the given places."""
        return Piece(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def counted(self) -> Votes:
        """Those that compare contestants, as the rating maths has them; names are the keys as text."""
        own = self.take(self.kinds < SKIP - 1)
        contestants, seats = _coded(own.seats)
        prompts, prompt = _coded(own.prompt)
        voters, voter = _coded(own.voter)
        return Votes(
            contestants=contestants,
            polls=POLLS,
            prompts=prompts,
            voters=voters,
            seats=seats,
            ranks=own.ranks.astype(np.int16),
            kinds=own.kinds,
            poll=own.poll.astype(np.int32),
            prompt=prompt,
            voter=voter,
            times=own.time,
        )


ARRAYS = tuple(field.name for field in fields(Piece))


def joined(pieces: list[Piece]) -> Piece:
    """One piece after the other; none is an empty one."""
    pieces = pieces or [_piece([], {})]
    return Piece(*(np.concatenate([getattr(piece, field.name) for piece in pieces]) for field in fields(Piece)))


def read_piece(after: int, *, archived: bool = True) -> tuple[Piece, bool]:
    """The votes after number `after` up to the end of its portion, and whether the portion is full.

    A full portion is packed at its first reading. With `archived` False the rows themselves are read.
    """
    last = end_of_portion(after)
    start = last - PORTION
    packed = LogPortion.objects.filter(first=start + 1, last=last).first() if archived else None
    if packed is None:
        piece = read_rows(after, last)
        if not len(piece) or piece.number[-1] < last:
            return piece, False
        if archived:
            whole = piece if after == start else read_rows(start, last)
            LogPortion.objects.bulk_create(
                [LogPortion(first=start + 1, last=last, data=pack(whole, ARRAYS))], ignore_conflicts=True
            )
        return piece, True
    piece = Piece(**unpack(bytes(packed.data)))
    return (piece if after == start else piece.take(piece.number > after)), True


def end_of_portion(after: int) -> int:
    """The last number of the portion that the vote after number `after` is in."""
    return (after // PORTION + 1) * PORTION


def read_rows(after: int, last: int) -> Piece:
    """The votes numbered after `after` up to `last`, in two queries."""
    return _read(
        {"number__gt": after, "number__lte": last}, {f"{OF_SEAT}number__gt": after, f"{OF_SEAT}number__lte": last}
    )


def read_duels(one: int, other: int, last: int) -> Piece:
    """The votes on two contestants alone, up to number `last`."""
    both = Matchup.objects.filter(seats__sample__contestant=one).filter(seats__sample__contestant=other)
    # Their keys first: as a subquery, the database would rather read all votes.
    keys = list(both.exclude(poll__kind=Poll.Kind.FFA).values_list("pk", flat=True))
    pieces = []
    for start in range(0, len(keys), PORTION):
        some = keys[start : start + PORTION]
        pieces.append(
            _read(
                {"number__lte": last, "ticket__matchup__in": some}, {f"{OF_SEAT}number__lte": last, "matchup__in": some}
            )
        )
    whole = joined(pieces)
    return whole.take(np.argsort(whole.number))


def _read(of_votes: dict[str, Any], of_seats: dict[str, Any]) -> Piece:
    """The votes under the one filter in the order of the log; the other one finds their seats."""
    votes = list(Vote.objects.filter(**of_votes).order_by("number").values_list(*COLUMNS))
    if not votes:
        return _piece([], {})
    seats = Seat.objects.filter(**of_seats).order_by()
    seated: dict[int, dict[int, int]] = {}
    for number, position, contestant in seats.values_list(f"{OF_SEAT}number", "position", "sample__contestant_id"):
        seated.setdefault(number, {})[position] = contestant
    return _piece(votes, {number: [own[place] for place in sorted(own)] for number, own in seated.items()})


def _piece(votes: list[tuple], seated: dict[int, list[int]]) -> Piece:  # type: ignore[type-arg]
    count = len(votes)
    number, created, outcome, voter, population, prompt, poll = zip(*votes, strict=True) if votes else ((),) * 7
    seats, ranks = np.zeros((count, SEATS), np.int64), np.full((count, SEATS), NOBODY, np.int8)
    kinds = np.full(count, UNREADABLE, np.int8)
    for at, (one, text) in enumerate(zip(number, outcome, strict=True)):
        shown = seated.get(one, [])[:SEATS]
        seats[at, : len(shown)] = shown
        parsed = _parsed(text, len(shown)) if len(set(shown)) == len(shown) else None
        if parsed is not None:
            kinds[at] = KINDS.index(parsed.kind)
            ranks[at, : len(parsed.ranks)] = parsed.ranks
    return Piece(
        number=np.array(number, np.int64),
        time=np.array([moment.timestamp() for moment in created], np.float64),
        poll=np.array([POLLS.index(kind) for kind in poll], np.int8),
        population=np.array([POPULATIONS.index(kind) for kind in population], np.int8),
        prompt=np.array(prompt, np.int64),
        voter=np.array(voter, np.int64),
        kinds=kinds,
        seats=seats,
        ranks=ranks,
    )


@lru_cache(maxsize=4096)
def _parsed(text: str, seats: int) -> Outcome | None:
    try:
        return parse_outcome(text, seats)
    except RatingError:
        return None


def _coded(keys: Integers) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The distinct keys as text in sorted order, and the code of each key; 0 is nobody."""
    distinct = np.unique(keys)
    distinct = distinct[distinct > 0]
    texts = np.array([str(key) for key in distinct.tolist()], dtype=str)
    order = np.argsort(texts, kind="stable")
    code = np.empty(len(distinct) + 1, np.int32)
    code[order] = np.arange(len(distinct))
    code[-1] = NOBODY
    place = np.where(keys > 0, np.searchsorted(distinct, keys), len(distinct))
    return tuple(texts[order].tolist()), code[place]
