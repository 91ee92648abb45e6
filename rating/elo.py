"""Elo (paper, section 5.1): R' = R + K (actual - expected). docs/elo.md tells the choices the paper leaves open."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from rating.game import Game
from rating.system import Estimate, State
from rating.votes import Votes


@dataclass(frozen=True)
class EloSystem:
    """Elo with step `k` and first rating `initial`, both in Elo points.

    A vote on n seats is read as its pairs at K / (n - 1) each, all from the ratings before the vote: points only change
    hands, and two seats are plain Elo.
    """

    k: float = 32.0
    initial: float = 1500.0
    order_check: int = 1000
    metric: str = "elo"

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"elo/1 k={self.k:g} initial={self.initial:g}"

    def start(self) -> State:
        """Nobody is rated yet."""
        return {"ratings": {}}

    def fold(self, state: State, votes: Votes) -> State:
        """The ratings after the votes, in their order."""
        ratings: dict[str, float] = dict(state["ratings"])
        for game in votes.games():
            self._play(ratings, game)
        return {"ratings": ratings}

    def standings(self, state: State) -> dict[str, Estimate]:
        """The last ratings. Elo has no interval of its own; see `rating.order` for what the order does to it."""
        return {contestant: Estimate(value=rating) for contestant, rating in state["ratings"].items()}

    def _play(self, ratings: dict[str, float], game: Game) -> None:
        step = self.k / (len(game.seats) - 1)
        before = {contestant: ratings.get(contestant, self.initial) for contestant in game.seats}
        ratings.update(before)
        for better, other, actual in pairs(game):
            change = step * (actual - expected(before[better], before[other]))
            ratings[better] += change
            ratings[other] -= change


def expected(rating: float, opponent: float) -> float:
    """The expected score 1 / (1 + 10^((opponent - rating) / 400)), in [0, 1] for ratings however far apart."""
    odds = 10.0 ** (-abs(opponent - rating) / 400.0)
    return (odds if opponent > rating else 1.0) / (1.0 + odds)


def pairs(game: Game) -> Iterator[tuple[str, str, float]]:
    """(better, other, actual score of the better: 1 or 0.5) for each pair that the vote compares.

    Picking the best compares the winner with each loser and the losers with nobody else.
    """
    placed = game.placed
    for (rank, better), (below, other) in combinations(placed, 2):
        if rank < below:
            yield better, other, 1.0
        elif not game.is_pick:
            yield better, other, 0.5
