"""A rating after more and more of the votes: what a figure of ratings over votes draws."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rating.system import Estimate, RatingSystem
from rating.votes import Votes

Floats = NDArray[np.float64]


def stops(votes: int, points: int) -> NDArray[np.intp]:
    """Up to `points` >= 1 vote counts from 1 to `votes`, evenly spaced, the last one among them; none of no votes."""
    spaced = np.linspace(votes / points, votes, points)
    return np.unique(np.maximum(np.round(spaced).astype(np.intp), 1)) if votes else np.empty(0, np.intp)


def snapshots(
    system: RatingSystem,
    votes: Votes,
    at: NDArray[np.intp],
    number: Callable[[Estimate], float | None] = lambda estimate: estimate.value,
) -> Floats:
    """(T, n) the number of each contestant after the first `at` (T,) counted votes; nan before its first vote.

    `votes` are counted ones; `at` ascends. The last row is what the system says of all of them, bit for bit.
    """
    place = {name: column for column, name in enumerate(votes.contestants)}
    found = np.full((len(at), len(place)), np.nan)
    state, folded = system.start(), 0
    for row, stop in enumerate(at.tolist()):
        state, folded = system.fold(state, votes.span(folded, stop)), stop
        for name, estimate in system.standings(state).items():
            value = number(estimate)
            found[row, place[name]] = np.nan if value is None else value
    return found
