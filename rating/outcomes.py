"""What a vote says: the grammar of the vote file's `outcome` column (docs/vote-file.md).

`2` picks seat 2 as the best, `1=2` is a draw, `2>1=4>3` a full ranking with a tie, `bad` calls all seats bad and
`skip` declines. Seats count from 1 in the order shown.
"""

import re
from dataclasses import dataclass
from typing import Literal

from rating.errors import OutcomeError

Kind = Literal["pick", "draw", "ranking", "bad", "skip"]
SEAT = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class Outcome:
    """What one vote says about its seats.

    `ranks` holds one rank a seat, 0 for the best, without gaps. A pick is (1, 0, 1, 1) for seat 2 of four: it says
    that the winner beats each other seat and nothing about the others among themselves. Empty for bad and skip.
    Raises OutcomeError for an unknown kind, and for ranks that are not of this kind or of less than two seats.
    """

    kind: Kind
    ranks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        places, lowest = set(self.ranks), max(self.ranks, default=-1)
        fits = {
            "pick": lowest == 1 and self.ranks.count(0) == 1,
            "draw": lowest == 0 and len(self.ranks) > 1,
            "ranking": lowest > 0,
            "bad": not self.ranks,
            "skip": not self.ranks,
        }
        if not fits.get(self.kind, False) or places != set(range(lowest + 1)):
            raise OutcomeError(
                f"{self.kind!r} with the ranks {self.ranks} is no outcome; a pick has one 0 and 1 for the others, "
                "a draw 0 for all, a ranking 0 for the best and no number left out, bad and skip have none"
            )

    @property
    def counts(self) -> bool:
        """Whether it compares contestants; `bad` and `skip` do not and are never taken for ties."""
        return bool(self.ranks)


def parse_outcome(text: str, seats: int) -> Outcome:
    """Read the outcome of a vote on `seats` >= 2 seats.

    Raises OutcomeError naming the text and what is wrong with it.
    """
    if seats < 2:
        raise OutcomeError(f"a vote needs at least two seats, this one has {seats}")
    if text == "bad":
        return Outcome("bad")
    if text == "skip":
        return Outcome("skip")
    tiers = [[_seat(name, text, seats) for name in tier.split("=")] for tier in text.split(">")]
    named = [seat for tier in tiers for seat in tier]
    if len(named) == 1:
        return Outcome("pick", tuple(int(seat != named[0]) for seat in range(1, seats + 1)))
    _check_complete(named, text, seats)
    rank_of = {seat: rank for rank, tier in enumerate(tiers) for seat in tier}
    ranks = tuple(rank_of[seat] for seat in range(1, seats + 1))
    return Outcome("draw" if len(tiers) == 1 else "ranking", ranks)


def format_outcome(outcome: Outcome) -> str:
    """Write an outcome as the vote file has it; tied seats in ascending order. `parse_outcome` reads it back."""
    if not outcome.counts:
        return outcome.kind
    if outcome.kind == "pick":
        return str(outcome.ranks.index(0) + 1)
    tiers = ([seat + 1 for seat, own in enumerate(outcome.ranks) if own == rank] for rank in sorted(set(outcome.ranks)))
    return ">".join("=".join(map(str, tier)) for tier in tiers)


def _seat(name: str, text: str, seats: int) -> int:
    if not SEAT.fullmatch(name):
        raise OutcomeError(
            f"outcome {_quoted(text)}: expected a seat number, found {_quoted(name)}; "
            "write 2, 1=2, 2>1=4>3, bad or skip"
        )
    if int(name) > seats:
        raise OutcomeError(f"outcome {_quoted(text)}: there is no seat {name}, only 1 to {seats}")
    return int(name)


def _check_complete(named: list[int], text: str, seats: int) -> None:
    for seat in range(1, seats + 1):
        if named.count(seat) > 1:
            raise OutcomeError(f"outcome {_quoted(text)}: seat {seat} is named twice")
        if seat not in named:
            raise OutcomeError(f"outcome {_quoted(text)}: seat {seat} is missing; rank every seat or name one alone")


def _quoted(text: str) -> str:
    """The text as shown in an error: short, whatever was sent."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
