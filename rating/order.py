"""How much a sequential rating depends on the order of the votes (docs/elo.md)."""

import random
from collections.abc import Sequence
from statistics import stdev

from rating.game import Game
from rating.system import RatingSystem

PERMUTATIONS = 100


def order_sd(
    system: RatingSystem, games: Sequence[Game], *, rng: random.Random, permutations: int = PERMUTATIONS
) -> dict[str, float]:
    """For each contestant, the sd of its value over `permutations` >= 2 random orders of the same games."""
    values: dict[str, list[float]] = {}
    for _ in range(permutations):
        shuffled = rng.sample(games, len(games))
        for contestant, estimate in system.standings(system.fold(system.start(), shuffled)).items():
            values.setdefault(contestant, []).append(estimate.value)
    return {contestant: stdev(found) for contestant, found in values.items()}


def milestone(votes: int) -> int:
    """The last vote count <= `votes` at which the check is made: all but the five leading bits cleared.

    Every vote up to 32, then about every thirtieth part: whoever folds in other portions finds the same points.
    """
    low_bits = max(0, votes.bit_length() - 5)
    return votes >> low_bits << low_bits
