"""A vote as the maths sees it: who was compared, what came out, and where it came from."""

import math
from dataclasses import dataclass
from functools import cached_property

from rating.errors import GameError
from rating.outcomes import Outcome


@dataclass(frozen=True)
class Game:
    """Contestants in their seats and a counted outcome. `poll` names the rules it was played by.

    `time` is when, in seconds since 1970; `voter` and `prompt` name who was asked and what about, empty if unknown.
    Raises GameError for an outcome that compares nobody, ranks that do not fit the seats, a contestant seated twice or
    without a name, a poll without one, or a time that is no number.
    """

    seats: tuple[str, ...]
    outcome: Outcome
    poll: str
    time: float = 0.0
    voter: str = ""
    prompt: str = ""

    def __post_init__(self) -> None:
        if not self.outcome.counts:
            raise GameError(f"an outcome of kind {self.outcome.kind!r} compares nobody; leave such votes out")
        if len(self.outcome.ranks) != len(self.seats):
            raise GameError(f"{len(self.outcome.ranks)} ranks for {len(self.seats)} seats")
        twice = {seat for seat in self.seats if self.seats.count(seat) > 1}
        if twice:
            raise GameError(f"contestant {min(twice)} is seated twice: nobody competes with itself")
        if "" in self.seats or not self.poll:
            raise GameError(f"seats {self.seats} of poll {self.poll!r}: contestants and polls need a name")
        if not math.isfinite(self.time):
            raise GameError(f"time is {self.time}: give seconds since 1970, or 0 for all votes where times are unknown")

    @property
    def is_pick(self) -> bool:
        """Whether only the winner was named: the losers are then not compared with each other."""
        return self.outcome.kind == "pick"

    @cached_property
    def placed(self) -> list[tuple[int, str]]:
        """(rank, contestant), best first, equal ranks by name: the seats' order has no say in any result."""
        return sorted(zip(self.outcome.ranks, self.seats, strict=True))
