"""What needs no rating system: counts of votes, and whether they tie the contestants together."""

from collections.abc import Iterable
from dataclasses import dataclass

from rating.game import Game

PROVISIONAL_VOTES = 10


@dataclass(frozen=True)
class Tally:
    """One contestant's counted votes. A win is the first place alone, a draw a shared first place, a loss all else."""

    wins: int = 0
    losses: int = 0
    draws: int = 0

    @property
    def votes(self) -> int:
        """Counted votes the contestant took part in: each is a win, a loss or a draw."""
        return self.wins + self.losses + self.draws

    @property
    def provisional(self) -> bool:
        """Fewer than 10 counted votes."""
        return self.votes < PROVISIONAL_VOTES


def count(tallies: dict[str, Tally], games: Iterable[Game]) -> dict[str, Tally]:
    """The tallies with the games added; the argument stays as it is."""
    result = dict(tallies)
    for game in games:
        first = game.outcome.ranks.count(0)
        for rank, contestant in game.placed:
            result[contestant] = _added(result.get(contestant, Tally()), rank, first)
    return result


def _added(tally: Tally, rank: int, first: int) -> Tally:
    if rank > 0:
        return Tally(tally.wins, tally.losses + 1, tally.draws)
    if first > 1:
        return Tally(tally.wins, tally.losses, tally.draws + 1)
    return Tally(tally.wins + 1, tally.losses, tally.draws)


def join(groups: list[list[str]], games: Iterable[Game]) -> list[list[str]]:
    """The connected groups of contestants after more games, the largest first.

    Contestants of two groups never met, directly or over others: no vote says how the groups compare.
    """
    sets = [set(group) for group in groups]
    for game in games:
        met = set(game.seats)
        if any(met <= known for known in sets):
            continue
        apart = [known for known in sets if known.isdisjoint(met)]
        sets = [*apart, met.union(*(known for known in sets if not known.isdisjoint(met)))]
    return sorted((sorted(known) for known in sets), key=lambda group: (-len(group), group))
