"""How much a sequential rating depends on the order of the votes (docs/elo.md)."""

from statistics import stdev

import numpy as np

from rating.system import RatingSystem
from rating.votes import Votes

PERMUTATIONS = 100


def order_sd(
    system: RatingSystem, votes: Votes, *, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> dict[str, float]:
    """For each contestant, the sd of its value over `permutations` >= 2 random orders of the same votes."""
    values: dict[str, list[float]] = {}
    for _ in range(permutations):
        shuffled = votes.take(rng.permutation(len(votes)))
        for contestant, estimate in system.standings(system.fold(system.start(), shuffled)).items():
            values.setdefault(contestant, []).append(estimate.value)
    return {contestant: stdev(found) for contestant, found in values.items()}


def milestone(votes: int) -> int:
    """The last vote count <= `votes` at which the check is made: all but the five leading bits cleared.

    Every vote up to 32, then about every thirtieth part: whoever folds in other portions finds the same points.
    """
    low_bits = max(0, votes.bit_length() - 5)
    return votes >> low_bits << low_bits
