"""What needs no rating system: counts of votes, and whether they tie the contestants together."""

from dataclasses import dataclass

import numpy as np

from rating.votes import Votes

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


def count(tallies: dict[str, Tally], votes: Votes) -> dict[str, Tally]:
    """The tallies with the counted votes added; the argument stays as it is."""
    first = votes.ranks == 0
    alone = (first.sum(axis=1) == 1)[:, None]
    wins, draws, losses = (
        np.bincount(votes.seats[chosen], minlength=len(votes.contestants))
        for chosen in (first & alone, first & ~alone, votes.ranks > 0)
    )
    result = dict(tallies)
    for code in np.flatnonzero(wins + draws + losses):
        name = votes.contestants[code]
        own = result.get(name, Tally())
        result[name] = Tally(own.wins + int(wins[code]), own.losses + int(losses[code]), own.draws + int(draws[code]))
    return result


def join(groups: list[list[str]], votes: Votes) -> list[list[str]]:
    """The connected groups of contestants after more votes, the largest first.

    Contestants of two groups never met, directly or over others: no vote says how the groups compare.
    """
    sets = [set(group) for group in groups]
    for seats in np.unique(votes.seats[votes.counted], axis=0).tolist():
        met = {votes.contestants[code] for code in seats if code >= 0}
        if any(met <= known for known in sets):
            continue
        apart = [known for known in sets if known.isdisjoint(met)]
        sets = [*apart, met.union(*(known for known in sets if not known.isdisjoint(met)))]
    return sorted((sorted(known) for known in sets), key=lambda group: (-len(group), group))
