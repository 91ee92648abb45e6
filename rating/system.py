"""What a rating system is: a state that folds votes, one by one, in the order of the log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rating.votes import Votes

# JSON all through: writing it down and reading it back loses no bit (floats go by their shortest repr).
State = dict[str, Any]
# Told what is being done, how much of it is done, and of how much; 0 where that is not known.
Report = Callable[[str, int, int], None]
PORTION = 20_000


def quiet(step: str, done: int, total: int) -> None:
    """Reports to nobody."""


@dataclass(frozen=True)
class Estimate:
    """What a system says about one contestant.

    `value` ranks the contestants, more is better. `low` and `high` bound a 95 % interval where the system has one;
    `mu` and `sigma` are the belief behind it; `average` is the time-weighted average of a rating that wanders.
    """

    value: float
    low: float | None = None
    high: float | None = None
    mu: float | None = None
    sigma: float | None = None
    average: float | None = None


class RatingSystem(Protocol):
    """One metric. Folding a log at once or in any pieces gives the same state, bit for bit."""

    @property
    def metric(self) -> str:
        """The name it goes by, such as `elo`."""

    @property
    def methodology(self) -> str:
        """Version and constants: two states compare only under the same text."""

    @property
    def order_check(self) -> int:
        """Up to how many votes the effect of their order is to be measured; 0 for never."""

    def start(self) -> State:
        """The state before the first vote."""

    def fold(self, state: State, votes: Votes) -> State:
        """The state after the votes; the argument stays as it is. `bad` and `skip` change nothing."""

    def standings(self, state: State) -> dict[str, Estimate]:
        """One estimate for every contestant that was in a counted vote."""


def folded(system: RatingSystem, state: State, votes: Votes, report: Report) -> State:
    """The state after the votes, PORTION at a time, with a report after each."""
    for start in range(0, len(votes), PORTION):
        state = system.fold(state, votes.span(start, start + PORTION))
        report("rating votes", min(start + PORTION, len(votes)), len(votes))
    return state
